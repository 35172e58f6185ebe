-- KEYS: meta values names
-- Adds to a name whose value is an integer as JSON writes it: id, name, integer -> sum, version; or EAGAIN: it is something else,
-- or the sum has more than 64 bits. Numbers here are doubles: what they cannot hold is added by HINCRBY, which can.
local meta = redis.call('HMGET', KEYS[1], 'id', 'size', 'used', 'version')
if meta[1] ~= ARGV[1] then return {43} end
local old = redis.call('HGET', KEYS[2], ARGV[2])
local value = '0'
if old then
  if #old > 40 then return {11} end
  value = string.match(old, '^%d+:(%-?[1-9]%d*)$') or string.match(old, '^%d+:(0)$')
  if not value then return {11} end
end
local sum
if #value <= 15 and #ARGV[3] <= 15 then
  sum = string.format('%.0f', tonumber(value) + tonumber(ARGV[3]))
else
  redis.call('HSET', KEYS[1], 'sum', value)
  local added = redis.pcall('HINCRBY', KEYS[1], 'sum', ARGV[3])
  sum = type(added) == 'number' and redis.call('HGET', KEYS[1], 'sum')
  redis.call('HDEL', KEYS[1], 'sum')
  if not sum then return {11} end
end
local more = #sum - #value
if not old then more = #sum + #ARGV[2] end
local used = tonumber(meta[3]) + more
if more > 0 and used > tonumber(meta[2]) then return {28} end
local time = redis.call('TIME')
local version = string.format('%.0f', math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(meta[4]) + 1))
redis.call('HSET', KEYS[2], ARGV[2], version .. ':' .. sum)
if not old then redis.call('ZADD', KEYS[3], 0, ARGV[2]) end
redis.call('HSET', KEYS[1], 'version', version, 'used', string.format('%.0f', used))
redis.call('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'changed', ARGV[1] .. ':' .. ARGV[2])
return {0, sum, version}
