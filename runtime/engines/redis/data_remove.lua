-- KEYS: meta values names
-- id ->
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {43} end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
redis.call('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'changed', ARGV[1] .. ':')
return {0}
