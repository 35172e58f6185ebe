-- KEYS: meta
-- Keeps the lease of a process, whatever it has taken. ARGV: id, process, lease in ms. Replies the server's time in ms;
-- or 116: its lease has ended. What needs no memory comes first, so it is kept where there is none.
local found = redis.call('HMGET', KEYS[1], 'state', 'l' .. ARGV[2])
if not found[1] or string.sub(found[1], 1, 32) ~= ARGV[1] then return {43} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HDEL', KEYS[1], '')
if not found[2] or tonumber(found[2]) < now then return {116} end
redis.call('HSET', KEYS[1], 'l' .. ARGV[2], now + ARGV[3])
return {0, now}
