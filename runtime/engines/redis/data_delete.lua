-- KEYS: meta values names
-- Takes a name away: id, name, the version it must have (-1: any, 0: none) -> a version that it has had from then on
local meta = redis.call('HMGET', KEYS[1], 'id', 'used', 'version')
if meta[1] ~= ARGV[1] then return {43} end
local old = redis.call('HGET', KEYS[2], ARGV[2])
local version = old and string.match(old, '^%d+') or '0'
if ARGV[3] ~= '-1' and ARGV[3] ~= version then return {116} end
if not old then return {2} end
local used = tonumber(meta[2]) - #ARGV[2] - #old + #version + 1
local time = redis.call('TIME')
version = string.format('%.0f', math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(meta[3]) + 1))
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('HSET', KEYS[1], 'version', version, 'used', string.format('%.0f', used))
redis.call('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'changed', ARGV[1] .. ':' .. ARGV[2])
return {0, version}
