-- KEYS: values
-- id -> names, bytes used
local head = redis.call('HGET', KEYS[1], '')
if not head or string.sub(head, 1, 24) ~= ARGV[1] then return {43} end
return {0, redis.call('HLEN', KEYS[1]) - 1, string.match(head, ' %d+ (%-?%d+)')}
