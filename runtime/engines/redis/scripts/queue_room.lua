-- KEYS: meta
-- Is there room for a message? ARGV: id, its size.
local m = redis.call('HMGET', KEYS[1], 'id', 'capacity', 'bytes', 'count')
if m[1] ~= ARGV[1] then return {43} end
if m[3] + ARGV[2] <= m[2] + 0 and m[4] + 1 <= m[2] + 0 then return {0} end
redis.call('HSET', KEYS[1], 'full', 1)
return {11}
