-- KEYS: meta
-- Makes the memory, or finds it: id of new memory, slots -> id, slots
local there = redis.call('HMGET', KEYS[1], 'id', 'slots')
if there[1] then return {there[2] == ARGV[2] and 0 or 17, there[1], there[2]} end
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'slots', ARGV[2])
return {0, ARGV[1], ARGV[2]}
