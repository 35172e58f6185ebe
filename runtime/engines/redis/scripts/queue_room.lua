-- KEYS: meta
-- Is there room for a message? ARGV: id, process and delivery, its place in line (as in queue_send.lua), and the size;
-- or none: the process leaves the line, and if it was called, the next one is.
-- HERE: queue_state
-- HERE: queue_line
-- HERE: queue_call
-- HERE: queue_stand
local text = redis.call('HGET', KEYS[1], 'state')
if not text or string.sub(text, 1, 32) ~= ARGV[1] then return {43} end
local state = {struct.unpack(FORMAT, text)}
local key, bytes = ARGV[2], state[BYTES]
if ARGV[4] then drop_dead(state, nil, tonumber(ARGV[4])) end
if not ARGV[4] then
  local at = state[SENDERS] > 0 and string.find(line_of('full'), key, 1, true)
  if at then cut(state, 'full', at - 14, SENDERS) end
  call_sender(state)
elseif state[BYTES] + ARGV[4] <= state[CAPACITY] and state[COUNT] < state[CAPACITY] then
  if state[BYTES] < bytes then save(state) end
  return {0}
elseif ARGV[3] ~= '-' then
  stand(state, 'full', SENDERS, key, ('%019d'):format(ARGV[4]), ARGV[3])
end
if next(changed) or state[BYTES] < bytes then save(state) end
return {ARGV[4] and 11 or 0}
