-- KEYS: values names
-- Sets a name: id, name, value, the version it must have (-1: any, 0: none) -> its version
-- Versions are microseconds of the server's clock, and always more than the last: so none comes twice, even if the
-- server went back to an older state of its data. Word of a change comes first, here and elsewhere: where a user may
-- not publish, nothing is changed then; and a process that hears of it queries when the script has ended.
local found = redis.call('HMGET', KEYS[1], '', ARGV[2])
local head, old, version = found[1], found[2], '0'
if not head or string.sub(head, 1, 24) ~= ARGV[1] then
  redis.pcall('PUBLISH', string.sub(KEYS[1], 1, -7) .. 'changed', ARGV[1] .. ':') -- evicted, perhaps
  return {43}
end
local size, used, last = string.match(head, ' (%d+) (%-?%d+) (%d+)')
local more = #ARGV[3]
if old then
  version = string.match(old, '^%d+')
  more = more + #version + 1 - #old
else
  more = more + #ARGV[2]
end
if ARGV[4] ~= '-1' and ARGV[4] ~= version then return {116} end
used = used + more
if more > 0 and used > tonumber(size) then return {28} end
local time = redis.call('TIME')
version = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
head = string.format('%s %s %.0f %s', ARGV[1], size, used, version)
redis.call('PUBLISH', string.sub(KEYS[1], 1, -7) .. 'changed', ARGV[1] .. ':' .. ARGV[2])
redis.call('HSET', KEYS[1], '', head, ARGV[2], version .. ':' .. ARGV[3])
if not old then redis.call('ZADD', KEYS[2], 0, ARGV[2]) end
return {0, version}
