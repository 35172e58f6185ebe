-- KEYS: meta order types messages
-- ARGV: id, process id, bounds in types or '' for the oldest, slot, number of the request, how many at most. A
-- process has slots, and one request at a time in each. The slot keeps what the last one got, "number:epoch:names",
-- and the messages' bytes stay until the next request there: so one that is made again, after a connection was lost,
-- gets the same, and one that arrives late, behind its successor, gets nothing. The first write is one that is
-- allowed when memory is out. Replies with types and bytes; 11 if there is none. What the server has evicted a part
-- of is no queue any more.
local WIDTH = 36
local news_channel = string.sub(KEYS[1], 1, -5) .. 'news'
local m = redis.call('HMGET', KEYS[1], 'id', 'capacity', 'bytes', 'count', 'epoch', 'full', ARGV[5])

local function lost()
  if m[1] == ARGV[1] then redis.call('DEL', unpack(KEYS)) end
  redis.pcall('PUBLISH', news_channel, 'x' .. ARGV[1])
  return {43}
end

if m[1] ~= ARGV[1] then return lost() end

local function tell(names)
  if not names[1] then return {11} end
  local messages = redis.call('HMGET', KEYS[4], unpack(names))
  local reply, bytes = {0}, 0
  for i = 1, #names do
    if not messages[i] then return lost() end
    reply[2 * i], reply[2 * i + 1] = string.sub(names[i], 1, 19), messages[i]
    bytes = bytes + #messages[i]
  end
  return reply, bytes
end

local names = {}
local before, taken
if m[7] then before, taken = string.match(m[7], '^(%d+):%d+:(.*)$') end
if before then
  for i = 1, #taken, WIDTH do names[#names + 1] = string.sub(taken, i, i + WIDTH - 1) end
  if before == ARGV[6] then return (tell(names)) end
  if before + 0 > ARGV[6] + 0 then return {116} end
end
redis.call('HDEL', KEYS[4], '', unpack(names))
names = {}
local count, removed = tonumber(m[4]), 0
if ARGV[3] == '' then
  local popped = redis.call('ZPOPMIN', KEYS[2], ARGV[7])
  for i = 1, #popped, 2 do names[#names + 1] = popped[i] end
  if names[1] then removed = redis.call('ZREM', KEYS[3], unpack(names)) end
  if #names < math.min(count, tonumber(ARGV[7])) then return lost() end
else
  names = redis.call('ZRANGEBYLEX', KEYS[3], ARGV[3], ARGV[4], 'LIMIT', 0, ARGV[7])
  if names[1] then
    removed = redis.call('ZREM', KEYS[2], unpack(names))
    redis.call('ZREM', KEYS[3], unpack(names))
  elseif count > 0 and redis.call('ZCARD', KEYS[3]) ~= count then
    return lost()
  end
end
if removed ~= #names then return lost() end
local mark = ARGV[6] .. ':' .. m[5] .. ':'
local reply, bytes = tell(names)
if not bytes then
  if reply[1] == 11 then redis.call('HSET', KEYS[1], ARGV[5], mark) end
  return reply
end
bytes = m[3] - bytes
redis.call('HSET', KEYS[1], 'bytes', bytes, 'count', count - #names, 'full', '', 'last_receiver', ARGV[2],
  ARGV[5], mark .. table.concat(names))
if m[6] == '1' then
  redis.pcall('PUBLISH', news_channel, 'r' .. string.format('%.0f', m[2] - bytes))
end
return reply
