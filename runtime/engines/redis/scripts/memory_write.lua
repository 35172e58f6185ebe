-- KEYS: slots
-- id, slot, 8 bytes ->
if redis.call('GETRANGE', KEYS[1], 0, 23) ~= ARGV[1] then
  redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -6) .. 'changed', ARGV[1] .. ':') -- evicted, perhaps
  return {43}
end
redis.call('PUBLISH', string.sub(KEYS[1], 1, -6) .. 'changed', ARGV[1] .. ':' .. ARGV[2])
redis.call('SETRANGE', KEYS[1], 32 + 8 * ARGV[2], ARGV[3])
return {0}
