-- KEYS: values names
-- Adds to a name whose value is an integer as JSON writes it: id, name, integer -> sum, version; or EAGAIN: it is
-- something else, or the sum has more than 64 bits. Numbers here are doubles: what they cannot hold is added by
-- HINCRBY, which can.
local found = redis.call('HMGET', KEYS[1], '', ARGV[2])
local head, old, value = found[1], found[2], '0'
if not head or string.sub(head, 1, 24) ~= ARGV[1] then
  redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -7) .. 'changed', ARGV[1] .. ':') -- evicted, perhaps
  return {43}
end
local size, used, last = string.match(head, ' (%d+) (%-?%d+) (%d+)')
local more = #ARGV[2]
if old then
  if #old > 40 then return {11} end
  value = string.match(old, '^%d+:(%-?[1-9]%d*)$') or string.match(old, '^%d+:(0)$')
  if not value then return {11} end
  more = -#value
end
redis.call('PUBLISH', string.sub(KEYS[1], 1, -7) .. 'changed', ARGV[1] .. ':' .. ARGV[2])
local sum
if #value <= 15 and #ARGV[3] <= 15 then
  sum = string.format('%.0f', value + ARGV[3])
else
  redis.call('HSET', KEYS[1], ARGV[2], value)
  local added = redis.pcall('HINCRBY', KEYS[1], ARGV[2], ARGV[3])
  sum = type(added) == 'number' and redis.call('HGET', KEYS[1], ARGV[2])
  if old then redis.call('HSET', KEYS[1], ARGV[2], old) else redis.call('HDEL', KEYS[1], ARGV[2]) end
  if not sum then return {11} end
end
more = more + #sum
used = used + more
if more > 0 and used > tonumber(size) then return {28} end
local time = redis.call('TIME')
local version = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
head = string.format('%s %s %.0f %s', ARGV[1], size, used, version)
redis.call('HSET', KEYS[1], '', head, ARGV[2], version .. ':' .. sum)
if not old then redis.call('ZADD', KEYS[2], 0, ARGV[2]) end
return {0, sum, version}
