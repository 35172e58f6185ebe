-- KEYS: meta
-- Is there room for a message? ARGV: id, its size, process, its place in line (as in queue_send.lua).
-- HERE: queue_state
-- HERE: queue_line
local text = redis.call('HGET', KEYS[1], 'state')
if not text or string.sub(text, 1, 32) ~= ARGV[1] then return {43} end
local state = {struct.unpack(FORMAT, text)}
if state[BYTES] + ARGV[2] <= state[CAPACITY] and state[COUNT] < state[CAPACITY] then return {0} end
if ARGV[4] ~= '-' then
  stand(state, 'full', SENDERS, ARGV[3], ('%019d'):format(ARGV[2]), ARGV[4])
  save(state, {})
end
return {11}
