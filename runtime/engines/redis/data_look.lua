-- KEYS: meta values
-- For those who wait: id, name, a version -> version:value, with version 0 if it is not there; or EAGAIN: it is that version
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {43} end
local value = redis.call('HGET', KEYS[2], ARGV[2]) or '0:'
if string.match(value, '^%d+') == ARGV[3] then return {11} end
return {0, value}
