-- KEYS: values names
-- id ->
local head = redis.call('HGET', KEYS[1], '')
if not head or string.sub(head, 1, 24) ~= ARGV[1] then return {43} end
redis.call('PUBLISH', string.sub(KEYS[1], 1, -7) .. 'changed', ARGV[1] .. ':')
redis.call('UNLINK', KEYS[1], KEYS[2])
return {0}
