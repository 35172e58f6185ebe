-- KEYS: meta order types
-- ARGV: id.
-- HERE: queue_state
-- HERE: queue_end
local text = redis.call('HGET', KEYS[1], 'state')
if not text or string.sub(text, 1, 32) ~= ARGV[1] then return {43} end
remove_queue()
return {0}
