-- KEYS: meta
-- ARGV: id.
-- HERE: queue_state
local text = redis.call('HGET', KEYS[1], 'state')
if not text or string.sub(text, 1, 32) ~= ARGV[1] then return {43} end
local state = {struct.unpack(FORMAT, text)}
return {0, state[COUNT], state[BYTES], state[CAPACITY], state[SENDER], state[RECEIVER]}
