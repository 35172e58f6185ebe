-- KEYS: meta
-- What no other script may come to do. ARGV: id, limits (queue_due.lua). What is due is ready. What was handed over a
-- while ago, and is not confirmed, goes back. Room that a called process has not used is the next one's. Now and then
-- an epoch ends: what was taken two epochs ago, in a delivery without a request since, was taken by a process that is
-- no more. Replies how much is not confirmed; and as queue_receive.lua does what is due next, and how many deliveries
-- stand.
-- HERE: queue_state
-- HERE: queue_line
-- HERE: queue_hand
-- HERE: queue_job
-- HERE: queue_back
-- HERE: queue_due
-- HERE: queue_call
local EPOCH_LENGTH = 300
local found = redis.call('HMGET', KEYS[1], 'state', 'turned', 'deliveries')
if not found[1] or string.sub(found[1], 1, 32) ~= ARGV[1] then return {43} end
local state = {struct.unpack(FORMAT, found[1])}
redis.call('HDEL', KEYS[1], '') -- needs no memory: so what follows may, where there is none
look(state, ARGV[2])
local left = sweep(state, found[3] or '')
call_sender(state)
if time() / 1000 - found[2] >= EPOCH_LENGTH then
  local deliveries = {}
  local epoch = string.sub(state[EPOCH], 2, 9) + 1
  state[EPOCH] = (':%08d:'):format(epoch)
  set_field('turned', math.floor(time() / 1000))
  for delivery in string.gmatch(found[3] or '', '%S+') do
    local mark = redis.call('HGET', KEYS[1], delivery) or ''
    local last = tonumber(string.sub(mark, 18, 25)) or -1
    local takes = string.byte(delivery, 18) == TAKES
    if last + 1 >= epoch or redis.call('HEXISTS', KEYS[1], 'h' .. delivery) == 1 or
      takes and redis.call('HEXISTS', KEYS[1], 'l' .. string.sub(delivery, 2, 17)) == 1 then
      deliveries[#deliveries + 1] = delivery .. ' '
    elseif takes then
      redis.call('HDEL', KEYS[1], delivery)
    else
      for i = NAMES + 20, #mark, NAME do redis.call('HDEL', KEYS[1], string.sub(mark, i, i + 15)) end
      redis.call('HDEL', KEYS[1], delivery)
    end
  end
  set_field('deliveries', table.concat(deliveries))
end
save(state)
return {0, left, until_next(state), state[RECEIVERS]}
