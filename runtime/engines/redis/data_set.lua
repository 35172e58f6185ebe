-- KEYS: meta values names
-- Sets a name: id, name, value, the version it must have (-1: any, 0: none) -> its version
-- Versions are microseconds of the server's clock, and always more than the last: so none comes twice, even if the server
-- went back to an older state of its data.
local meta = redis.call('HMGET', KEYS[1], 'id', 'size', 'used', 'version')
if meta[1] ~= ARGV[1] then return {43} end
local old = redis.call('HGET', KEYS[2], ARGV[2])
local version = old and string.match(old, '^%d+') or '0'
if ARGV[4] ~= '-1' and ARGV[4] ~= version then return {116} end
local more = #ARGV[3] + (old and #version + 1 - #old or #ARGV[2])
local used = tonumber(meta[3]) + more
if more > 0 and used > tonumber(meta[2]) then return {28} end
local time = redis.call('TIME')
version = string.format('%.0f', math.max(tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(meta[4]) + 1))
redis.call('HSET', KEYS[2], ARGV[2], version .. ':' .. ARGV[3])
if not old then redis.call('ZADD', KEYS[3], 0, ARGV[2]) end
redis.call('HSET', KEYS[1], 'version', version, 'used', string.format('%.0f', used))
redis.call('PUBLISH', string.sub(KEYS[1], 1, -5) .. 'changed', ARGV[1] .. ':' .. ARGV[2])
return {0, version}
