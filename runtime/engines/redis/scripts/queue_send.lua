-- KEYS: meta order types messages
-- ARGV: id, process id, batch, then of each message its type, of 19 digits, and its bytes. A message is known by its
-- type and number, "type:number": in order by number, in types by both, and as the field of its bytes. They are
-- accepted one after the other until there is no room for one; after that nothing of this batch gets in any more, for
-- it would overtake. Replies how many were accepted, and 11 if these were not all; 1 if that was for want of room.
-- Word of it comes first: where the user may not publish, nothing is sent. Of a queue of which the server has evicted
-- a part, or all, those who wait are told that it was removed.
local news_channel = string.sub(KEYS[1], 1, -5) .. 'news'
local m = redis.call('HMGET', KEYS[1], 'id', 'capacity', 'bytes', 'count', 'next', 'failed')
local whole = m[1] == ARGV[1] and redis.call('ZCARD', KEYS[2]) == tonumber(m[4])
if not whole then
  if m[1] == ARGV[1] then redis.call('DEL', unpack(KEYS)) end
  redis.pcall('PUBLISH', news_channel, 'x' .. ARGV[1])
  return {43}
end
if m[6] == ARGV[3] then return {11, 0, 0} end
local capacity, bytes, count, number = m[2] + 0, m[3] + 0, m[4] + 0, m[5] + 0
local order, types, messages, news = {}, {}, {}, {}
local n = 0
for i = 4, #ARGV, 2 do
  if bytes + #ARGV[i + 1] > capacity or count + 1 > capacity then break end
  n, bytes, count, number = n + 1, bytes + #ARGV[i + 1], count + 1, number + 1
  local name = ARGV[i] .. string.format(':%016.0f', number)
  order[2 * n - 1], order[2 * n] = number, name
  types[2 * n - 1], types[2 * n] = 0, name
  messages[2 * n - 1], messages[2 * n] = name, ARGV[i + 1]
  news[n] = ARGV[i]
end
local full = n < (#ARGV - 3) / 2
if n > 0 then
  redis.call('PUBLISH', news_channel, 's' .. table.concat(news, ','))
  redis.call('HSET', KEYS[1], 'bytes', bytes, 'count', count, 'next', number, 'last_sender', ARGV[2])
  redis.call('ZADD', KEYS[2], unpack(order))
  redis.call('ZADD', KEYS[3], unpack(types))
  redis.call('HSET', KEYS[4], unpack(messages))
end
if full then
  redis.call('HSET', KEYS[1], 'full', 1, 'failed', ARGV[3])
  return {11, n, 1}
end
return {0, n}
