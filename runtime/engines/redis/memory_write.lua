-- KEYS: meta slots
-- id, slot, 8 bytes ->
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {43} end
redis.call('SETRANGE', KEYS[2], ARGV[2] * 8, ARGV[3])
redis.call('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'changed', ARGV[1] .. ':' .. ARGV[2])
return {0}
