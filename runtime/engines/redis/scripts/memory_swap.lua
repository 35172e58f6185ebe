-- KEYS: slots
-- id, slot, the 8 bytes it must have, the 8 bytes it gets -> the 8 bytes it had
if redis.call('GETRANGE', KEYS[1], 0, 23) ~= ARGV[1] then
  redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -6) .. 'changed', ARGV[1] .. ':') -- evicted, perhaps
  return {43}
end
local at = 32 + 8 * ARGV[2]
local had = redis.call('GETRANGE', KEYS[1], at, at + 7)
if had == '' then had = string.rep('\0', 8) end
if had == ARGV[3] then
  redis.call('PUBLISH', string.sub(KEYS[1], 1, -6) .. 'changed', ARGV[1] .. ':' .. ARGV[2])
  redis.call('SETRANGE', KEYS[1], at, ARGV[4])
end
return {0, had}
