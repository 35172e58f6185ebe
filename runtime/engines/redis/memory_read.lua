-- KEYS: meta slots
-- id, slot -> its 8 bytes, the highest first; "" if it, and all after it, were never written: 0
-- As bytes, since the integers that BITFIELD tells become doubles here.
if redis.call('HGET', KEYS[1], 'id') ~= ARGV[1] then return {43} end
local at = ARGV[2] * 8
return {0, redis.call('GETRANGE', KEYS[2], at, at + 7)}
