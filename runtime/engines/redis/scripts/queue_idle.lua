-- KEYS: meta
-- Some slots of a process have had their answers, and nothing more is asked there. ARGV: id, and for each the slot
-- and number. Now and then an epoch ends. What was taken two epochs ago, and not asked about since, was taken by a
-- process that is no more.
-- HERE: queue_state
local EPOCH_LENGTH, NAME = 300, 36
local found = redis.call('HMGET', KEYS[1], 'state', 'turned')
if not found[1] or string.sub(found[1], 1, 32) ~= ARGV[1] then return {43} end
local state = {struct.unpack(FORMAT, found[1])}

local function drop(taken)
  for i = 21, #taken, NAME do redis.call('HDEL', KEYS[1], string.sub(taken, i, i + 15)) end
end

for i = 2, #ARGV, 2 do
  local number, epoch, taken = string.match(redis.call('HGET', KEYS[1], ARGV[i]) or '', '^(%d+):(%d+):(.+)$')
  if number and number + 0 == ARGV[i + 1] + 0 then
    drop(taken)
    redis.call('HSET', KEYS[1], ARGV[i], number .. ':' .. epoch .. ':')
  end
end
local now = redis.call('TIME')[1]
if now - found[2] < EPOCH_LENGTH then return {0} end
state[EPOCH] = state[EPOCH] + 1
redis.call('HSET', KEYS[1], 'state', struct.pack(FORMAT, unpack(state)), 'turned', now)
local slots = {}
for slot in string.gmatch(redis.call('HGET', KEYS[1], 'slots') or '', '%S+') do
  local mark = redis.call('HGET', KEYS[1], slot) or ''
  local epoch, taken = string.match(mark, '^%d+:(%d+):(.*)$')
  if epoch and epoch + 1 >= state[EPOCH] then
    slots[#slots + 1] = slot .. ' '
  elseif epoch then
    drop(taken)
    redis.call('HDEL', KEYS[1], slot)
  end
end
redis.call('HSET', KEYS[1], 'slots', table.concat(slots))
return {0}
