-- KEYS: meta
-- ARGV: id, verb, what is wanted (queue_next.lua), limits (queue_due.lua). Verbs and replies: peek: type and bytes, or
-- 11; stat: messages, bytes, capacity, pids of the last sender and receiver, how many jobs are delayed, taken and dead,
-- and the first bytes of the oldest message; remove.
-- HERE: queue_state
local text = redis.call('HGET', KEYS[1], 'state')
if not text or string.sub(text, 1, 32) ~= ARGV[1] then return {43} end
local state = {struct.unpack(FORMAT, text)}
-- HERE: queue_line
-- HERE: queue_next
if ARGV[2] == 'remove' then
  -- HERE: queue_end
  remove_queue()
  return {0}
end
if state[NEXT] > 0 and state[NEXT] <= time() then
  -- HERE: queue_hand
  -- HERE: queue_job
  -- HERE: queue_back
  -- HERE: queue_due
  look(state, ARGV[4])
  save(state)
end
if ARGV[2] == 'stat' then
  local oldest = next_message(state, '0')
  local message = oldest and redis.call('HGET', KEYS[1], string.sub(oldest, 21)) or ''
  if redis.call('HLEN', base .. 'taken') == 0 then
    -- HERE: queue_end
    return remove_queue()
  end
  return {0, state[COUNT], state[BYTES], state[CAPACITY], state[SENDER], state[RECEIVER],
    redis.call('ZCARD', base .. 'delayed'), redis.call('HLEN', base .. 'taken') - 1,
    redis.call('ZCARD', base .. 'dead'), string.sub(message, 1, PLAIN)}
end
local name = next_message(state, ARGV[3])
if not name then return {11} end
local message = redis.call('HGET', KEYS[1], string.sub(name, 21))
if not message then return {43} end -- evicted
return {0, string.sub(name, 1, 19), message}
