-- KEYS: values
-- For operations that wait: id, name, a version -> version:value, with version 0 if it is not there; or EAGAIN: it is
-- that version
local found = redis.call('HMGET', KEYS[1], '', ARGV[2])
if not found[1] or string.sub(found[1], 1, 24) ~= ARGV[1] then return {43} end
local value = found[2] or '0:'
if string.match(value, '^%d+') == ARGV[3] then return {11} end
return {0, value}
