-- KEYS: values names
-- Takes a name away: id, name, the version it must have (-1: any, 0: none) -> a version that it has had from then on
local found = redis.call('HMGET', KEYS[1], '', ARGV[2])
local head, old, version = found[1], found[2], '0'
if not head or string.sub(head, 1, 24) ~= ARGV[1] then return {43} end
local size, used, last = string.match(head, ' (%d+) (%-?%d+) (%d+)')
if old then version = string.match(old, '^%d+') end
if ARGV[3] ~= '-1' and ARGV[3] ~= version then return {116} end
if not old then return {2} end
used = used - #ARGV[2] - #old + #version + 1
local time = redis.call('TIME')
version = string.format('%.0f', math.max(time[1] * 1000000 + time[2], last + 1))
redis.call('PUBLISH', string.sub(KEYS[1], 1, -7) .. 'changed', ARGV[1] .. ':' .. ARGV[2])
redis.call('HDEL', KEYS[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[1], '', string.format('%s %s %.0f %s', ARGV[1], size, used, version))
return {0, version}
