-- KEYS: meta values
-- id, name -> version:value
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {43} end
local value = redis.call('HGET', KEYS[2], ARGV[2])
if not value then return {2} end
return {0, value}
