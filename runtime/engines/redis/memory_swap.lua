-- KEYS: meta slots
-- id, slot, the 8 bytes it must have, the 8 bytes it gets -> the 8 bytes it had
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {43} end
local at = ARGV[2] * 8
local had = redis.call('GETRANGE', KEYS[2], at, at + 7)
if had == '' then had = string.rep('\0', 8) end
if had == ARGV[3] then
  redis.call('SETRANGE', KEYS[2], at, ARGV[4])
  redis.call('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'changed', ARGV[1] .. ':' .. ARGV[2])
end
return {0, had}
