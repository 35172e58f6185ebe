-- KEYS: meta order types
-- ARGV: id, what is wanted (queue_take.lua).
-- HERE: queue_state
-- HERE: queue_take
local text = redis.call('HGET', KEYS[1], 'state')
if not text or string.sub(text, 1, 32) ~= ARGV[1] then return {43} end
local state = {struct.unpack(FORMAT, text)}
local name = next_message(state, ARGV[2])
if not name then return {11} end
local message = redis.call('HGET', KEYS[1], string.sub(name, 21))
if not message then return {43} end -- evicted
return {0, string.sub(name, 1, 19), message}
