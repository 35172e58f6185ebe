-- KEYS: meta slots
-- id, slot, integer -> the 8 bytes of the sum
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {43} end
redis.call('BITFIELD', KEYS[2], 'OVERFLOW', 'WRAP', 'INCRBY', 'i64', '#' .. ARGV[2], ARGV[3])
redis.call('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'changed', ARGV[1] .. ':' .. ARGV[2])
local at = ARGV[2] * 8
return {0, redis.call('GETRANGE', KEYS[2], at, at + 7)}
