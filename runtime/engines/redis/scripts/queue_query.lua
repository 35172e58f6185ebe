-- KEYS: meta order types
-- ARGV: id, verb, what is wanted (queue_take.lua). Verbs and replies: peek: type and bytes, or 11; stat: messages,
-- bytes, capacity, pids of the last sender and receiver; remove.
-- HERE: queue_state
-- HERE: queue_take
local text = redis.call('HGET', KEYS[1], 'state')
if not text or string.sub(text, 1, 32) ~= ARGV[1] then return {43} end
local state = {struct.unpack(FORMAT, text)}
if ARGV[2] == 'stat' then
  return {0, state[COUNT], state[BYTES], state[CAPACITY], state[SENDER], state[RECEIVER]}
elseif ARGV[2] == 'remove' then
  -- HERE: queue_line
  -- HERE: queue_end
  remove_queue()
  return {0}
end
local name = next_message(state, ARGV[3])
if not name then return {11} end
local message = redis.call('HGET', KEYS[1], string.sub(name, 21))
if not message then return {43} end -- evicted
return {0, string.sub(name, 1, 19), message}
