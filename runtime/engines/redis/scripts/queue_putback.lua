-- KEYS: meta order types
-- Takes a request to receive back. ARGV: id, slot, number of the request, how many of its messages are kept. The
-- others go where they were; if none is kept, and it has not come yet, it will get nothing.
-- HERE: queue_state
-- HERE: queue_line
local NAME = 36
local found = redis.call('HMGET', KEYS[1], 'state', ARGV[2])
if not found[1] or string.sub(found[1], 1, 32) ~= ARGV[1] then return {43} end
local state = {struct.unpack(FORMAT, found[1])}
local before, taken
local number = ('%016d'):format(ARGV[3])
if found[2] then before, taken = string.match(found[2], '^(%d+):%d+:(.*)$') end
if before and before + 0 > number + 0 then return {116} end
local keep = ARGV[4] * NAME
if before ~= number then
  if keep > 0 then return {0} end
  for i = 21, #(taken or ''), NAME do redis.call('HDEL', KEYS[1], string.sub(taken, i, i + 15)) end
  if not before then
    redis.call('HSET', KEYS[1], 'slots', (redis.call('HGET', KEYS[1], 'slots') or '') .. ARGV[2] .. ' ')
  end
  redis.call('HSET', KEYS[1], ARGV[2], ('%s:%08d:'):format(number, state[EPOCH]))
  return {0}
end
if #taken <= keep then return {0} end
redis.call('HDEL', KEYS[1], ARGV[2]) -- allowed when memory is out, and so all is after it
publish = redis.pcall
for i = keep + 1, #taken, NAME do
  local name = string.sub(taken, i, i + NAME - 1)
  state[BYTES] = state[BYTES] + redis.call('HSTRLEN', KEYS[1], string.sub(name, 21))
  if state[COUNT] == 0 then state[FIRST], state[BORDER] = state[LAST] + 1, 0 end
  state[COUNT], state[SORTED] = state[COUNT] + 1, state[SORTED] + 1
  redis.call('ZADD', KEYS[2], string.sub(name, 21), name)
  redis.call('ZADD', KEYS[3], 0, name)
  call_receiver(state, string.sub(name, 1, 19))
end
save(state, {ARGV[2], ('%s:%08d:%s'):format(before, state[EPOCH], string.sub(taken, 1, keep))})
return {0}
