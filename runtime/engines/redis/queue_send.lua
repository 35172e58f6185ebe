-- KEYS: meta order types messages
-- ARGV: id, type of 19 digits, message, process id, batch. A message is known by its type and number, "type:number": in order
-- by number, in types by both, and as the field of its bytes. Of a batch none gets in after one did not: it would overtake.
-- Full: 11 and the bytes that are free, -1 if it did not matter.
local m = redis.call('HMGET', KEYS[1], 'id', 'capacity', 'bytes', 'count', 'next', 'failed')
if m[1] ~= ARGV[1] then return {43} end
if m[6] == ARGV[5] then return {11, -1} end
local bytes = m[3] + #ARGV[3]
if bytes > m[2] + 0 or m[4] + 1 > m[2] + 0 then
  redis.call('HSET', KEYS[1], 'full', 1, 'failed', ARGV[5])
  return {11, m[2] - m[3]}
end
local number = m[5] + 1
local name = ARGV[2] .. string.format(':%016.0f', number)
redis.call('HSET', KEYS[1], 'bytes', bytes, 'count', m[4] + 1, 'next', number, 'last_sender', ARGV[4])
redis.call('ZADD', KEYS[2], number, name)
redis.call('ZADD', KEYS[3], 0, name)
redis.call('HSET', KEYS[4], name, ARGV[3])
redis.call('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'news', 's' .. ARGV[2])
return {0}
