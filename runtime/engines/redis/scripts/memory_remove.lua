-- KEYS: slots
-- id ->
if redis.call('GETRANGE', KEYS[1], 0, 23) ~= ARGV[1] then return {43} end
redis.call('PUBLISH', string.sub(KEYS[1], 1, -6) .. 'changed', ARGV[1] .. ':')
redis.call('UNLINK', KEYS[1])
return {0}
