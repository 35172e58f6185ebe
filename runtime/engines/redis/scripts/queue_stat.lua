-- KEYS: meta
-- ARGV: id.
local m = redis.call('HMGET', KEYS[1], 'id', 'count', 'bytes', 'capacity', 'last_sender', 'last_receiver')
if m[1] ~= ARGV[1] then return {43} end
return {0, m[2], m[3], m[4], m[5], m[6]}
