-- KEYS: meta order types messages
-- Takes a request to receive back. ARGV: id, slot, number of the request, how many of its messages are kept. The
-- others go where they were; if none is kept, and it has not come yet, it will get nothing.
local WIDTH = 36
local m = redis.call('HMGET', KEYS[1], 'id', 'bytes', 'count', 'epoch', ARGV[2])
if m[1] ~= ARGV[1] then return {43} end
local before, taken
if m[5] then before, taken = string.match(m[5], '^(%d+):%d+:(.*)$') end
if before and before + 0 > ARGV[3] + 0 then return {116} end
local keep = ARGV[4] * WIDTH
if before ~= ARGV[3] then
  if keep > 0 then return {0} end
  for i = 1, #(taken or ''), WIDTH do redis.call('HDEL', KEYS[4], string.sub(taken, i, i + WIDTH - 1)) end
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[3] .. ':' .. m[4] .. ':')
  return {0}
end
if #taken <= keep then return {0} end
redis.call('HDEL', KEYS[1], ARGV[2]) -- allowed when memory is out, and so all is after it
local bytes, count, news = m[2] + 0, m[3] + 0, {}
for i = keep + 1, #taken, WIDTH do
  local name = string.sub(taken, i, i + WIDTH - 1)
  bytes, count = bytes + redis.call('HSTRLEN', KEYS[4], name), count + 1
  redis.call('ZADD', KEYS[2], string.sub(name, 21), name)
  redis.call('ZADD', KEYS[3], 0, name)
  news[#news + 1] = string.sub(name, 1, 19)
end
local mark = before .. ':' .. m[4] .. ':' .. string.sub(taken, 1, keep)
redis.call('HSET', KEYS[1], 'bytes', bytes, 'count', count, ARGV[2], mark)
redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'news', 's' .. table.concat(news, ','))
return {0}
