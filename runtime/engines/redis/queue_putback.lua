-- KEYS: meta order types messages
-- Takes a request to receive back. ARGV: id, slot, number of the request. If it got a message that goes where it was; if it has
-- not come yet, it will get nothing.
local m = redis.call('HMGET', KEYS[1], 'id', 'bytes', 'count', 'epoch', ARGV[2])
if m[1] ~= ARGV[1] then return {43} end
local before, taken
if m[5] then before, taken = string.match(m[5], '^(%d+):%d+:(.*)$') end
if before and before + 0 > ARGV[3] + 0 then return {116} end
redis.call('HDEL', KEYS[1], ARGV[2])
local again = before == ARGV[3] and taken ~= ''
if again then
  local size = redis.call('HSTRLEN', KEYS[4], taken)
  redis.call('ZADD', KEYS[2], string.sub(taken, 21), taken)
  redis.call('ZADD', KEYS[3], 0, taken)
  redis.call('HSET', KEYS[1], 'bytes', m[2] + size, 'count', m[3] + 1)
elseif taken and taken ~= '' then
  redis.call('HDEL', KEYS[4], taken)
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3] .. ':' .. m[4] .. ':')
if again then redis.call('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'news', 's' .. string.sub(taken, 1, 19)) end
return {0}
