-- KEYS: slots
-- id, slot, how many -> their bytes; fewer where nothing was written yet
if redis.call('GETRANGE', KEYS[1], 0, 23) ~= ARGV[1] then return {43} end
local at = 32 + 8 * ARGV[2]
return {0, redis.call('GETRANGE', KEYS[1], at, at + 8 * ARGV[3] - 1)}
