-- KEYS: meta order types messages
-- ARGV: id, bounds in types or '' for the oldest.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {43} end
local name
if ARGV[2] == '' then
  name = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
else
  name = redis.call('ZRANGEBYLEX', KEYS[3], ARGV[2], ARGV[3], 'LIMIT', 0, 1)[1]
end
if not name then return {11} end
local message = redis.call('HGET', KEYS[4], name)
if not message then return {43} end -- evicted
return {0, string.sub(name, 1, 19), message}
