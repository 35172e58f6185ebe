-- KEYS: meta messages
-- Some slots of a process have had their answers, and nothing more is asked there. ARGV: id, and for each the slot
-- and number. Now and then an epoch ends. What was taken two epochs ago, and not asked about since, was taken by who
-- is no more.
local EPOCH, WIDTH = 300, 36
local m = redis.call('HMGET', KEYS[1], 'id', 'epoch', 'turned')
if m[1] ~= ARGV[1] then return {43} end

local function drop(taken)
  for i = 1, #taken, WIDTH do redis.call('HDEL', KEYS[2], string.sub(taken, i, i + WIDTH - 1)) end
end

for i = 2, #ARGV, 2 do
  local number, epoch, taken = string.match(redis.call('HGET', KEYS[1], ARGV[i]) or '', '^(%d+):(%d+):(.+)$')
  if number == ARGV[i + 1] then
    drop(taken)
    redis.call('HSET', KEYS[1], ARGV[i], number .. ':' .. epoch .. ':')
  end
end
local now = redis.call('TIME')[1]
if now - m[3] < EPOCH then return {0} end
redis.call('HSET', KEYS[1], 'epoch', m[2] + 1, 'turned', now)
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local epoch, taken = string.match(all[i + 1], '^%d+:(%d+):(.*)$')
  if string.sub(all[i], 1, 1) == '@' and epoch + 1 < m[2] + 1 then
    drop(taken)
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return {0}
