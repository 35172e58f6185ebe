-- KEYS: meta order types messages
-- ARGV: id, bounds in types or '' for the oldest, slot, number of the request, process id.
-- A process has slots, and one request at a time in each. The slot keeps what the last one got, "number:epoch:name", and the
-- message's bytes stay until the next request there: so one that is made again, after a connection was lost, gets the same,
-- and one that arrives late, behind its successor, gets nothing. The first write is one that is allowed when memory is out.
local m = redis.call('HMGET', KEYS[1], 'id', 'capacity', 'bytes', 'count', 'epoch', 'full', ARGV[4])
if m[1] ~= ARGV[1] then return {43} end
local before, taken
if m[7] then before, taken = string.match(m[7], '^(%d+):%d+:(.*)$') end
if before == ARGV[5] then
  if taken == '' then return {11} end
  return {0, string.sub(taken, 1, 19), redis.call('HGET', KEYS[4], taken)}
elseif before and before + 0 > ARGV[5] + 0 then
  return {116}
end
redis.call('HDEL', KEYS[4], taken or '')
local name
if ARGV[2] == '' then
  name = redis.call('ZPOPMIN', KEYS[2])[1]
  if name then redis.call('ZREM', KEYS[3], name) end
else
  name = redis.call('ZRANGEBYLEX', KEYS[3], ARGV[2], ARGV[3], 'LIMIT', 0, 1)[1]
  if name then
    redis.call('ZREM', KEYS[2], name)
    redis.call('ZREM', KEYS[3], name)
  end
end
local mark = ARGV[5] .. ':' .. m[5] .. ':'
if not name then
  redis.call('HSET', KEYS[1], ARGV[4], mark)
  return {11}
end
local message = redis.call('HGET', KEYS[4], name)
local bytes = m[3] - #message
redis.call('HSET', KEYS[1], 'bytes', bytes, 'count', m[4] - 1, 'full', '', 'last_receiver', ARGV[6], ARGV[4], mark .. name)
if m[6] == '1' then redis.call('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'news', 'r' .. string.format('%.0f', m[2] - bytes)) end
return {0, string.sub(name, 1, 19), message}
