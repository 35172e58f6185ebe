-- KEYS: meta order types messages
-- ARGV: id.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {43} end
redis.call('DEL', unpack(KEYS))
redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'news', 'x' .. ARGV[1])
return {0}
