-- KEYS: slots
-- id, slot, integer -> the 8 bytes of the sum, the highest first: what BITFIELD tells here is a double
if redis.call('GETRANGE', KEYS[1], 0, 23) ~= ARGV[1] then
  redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -6) .. 'changed', ARGV[1] .. ':') -- evicted, perhaps
  return {43}
end
redis.call('PUBLISH', string.sub(KEYS[1], 1, -6) .. 'changed', ARGV[1] .. ':' .. ARGV[2])
redis.call('BITFIELD', KEYS[1], 'OVERFLOW', 'WRAP', 'INCRBY', 'i64', '#' .. ARGV[2] + 4, ARGV[3])
local at = 32 + 8 * ARGV[2]
return {0, redis.call('GETRANGE', KEYS[1], at, at + 7)}
