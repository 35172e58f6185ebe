-- KEYS: meta
-- One message, with more: ARGV: id, process id, process and delivery, its place in line, type and bytes as in
-- queue_send.lua; number of the request, of 16 digits; in how many ms it is due, and its id, or "". ">" and the
-- delivery keeps what the last request was given, "number:epoch:number of the message": so one that is made again,
-- after a connection was lost, sends nothing. Replies as queue_send.lua, and the message's number; or 17: the id is in
-- use.
-- HERE: queue_state
-- HERE: queue_line
-- HERE: queue_hand
-- HERE: queue_job
-- HERE: queue_back
-- HERE: queue_call
local sent, id = '>' .. ARGV[3], 'i' .. ARGV[9]
local found = redis.call('HMGET', KEYS[1], 'state', sent, id)
if not found[1] or string.sub(found[1], 1, 32) ~= ARGV[1] then return {43} end
local state, mark = {struct.unpack(FORMAT, found[1])}, found[2]
local size = #ARGV[6] - 12 - #ARGV[9]
if mark and string.sub(mark, 1, 16) == ARGV[7] then
  return {0, 1, state[CAPACITY] - state[BYTES], 0, string.sub(mark, 27)}
end
if ARGV[9] ~= '' and found[3] then return {17} end
local bytes = state[BYTES]
drop_dead(state, nil, size)
if state[BYTES] + size > state[CAPACITY] or state[COUNT] >= state[CAPACITY] then
  if ARGV[4] ~= '-' then
    -- HERE: queue_stand
    stand(state, 'full', SENDERS, ARGV[3], ('%019d'):format(size), ARGV[4])
  end
  if next(changed) or state[BYTES] < bytes then save(state) end
  return {11, 0, state[CAPACITY] - state[BYTES], 0}
end
if not mark then set_field('deliveries', (redis.call('HGET', KEYS[1], 'deliveries') or '') .. sent .. ' ') end
local number = put_new(state, ARGV[5], ARGV[6], tonumber(ARGV[8]))
set_field(sent, ARGV[7] .. state[EPOCH] .. number)
state[SENDER] = tonumber(ARGV[2])
local called = state[RECEIVERS] > 0 or state[SENDERS] > 0 and call_sender(state)
save(state)
return {0, 1, state[CAPACITY] - state[BYTES], called and 1 or 0, number}
