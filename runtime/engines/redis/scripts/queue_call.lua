-- KEYS: meta order types
-- A process that was called does not come, or does not want it any more: the next one is called. ARGV: id, and the
-- types of messages that are perhaps still there, of 19 digits; zeros: there is perhaps room.
-- HERE: queue_state
-- HERE: queue_line
-- HERE: queue_take
local text = redis.call('HGET', KEYS[1], 'state')
if not text or string.sub(text, 1, 32) ~= ARGV[1] then return {43} end
local state = {struct.unpack(FORMAT, text)}
for i = 2, #ARGV do
  if tonumber(ARGV[i]) == 0 then
    call_sender(state)
  elseif next_message(state, ARGV[i]) then
    call_receiver(state, ARGV[i])
  end
end
if next(changed) then save(state, {}) end
return {0}
