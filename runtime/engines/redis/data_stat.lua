-- KEYS: meta values
-- id -> names, bytes used
local meta = redis.call('HMGET', KEYS[1], 'id', 'used')
if meta[1] ~= ARGV[1] then return {43} end
return {0, redis.call('HLEN', KEYS[2]), meta[2]}
