-- KEYS: meta
-- Makes the data, or finds it: id of new data, size (0: any), size of new data -> id, size
local there = redis.call('HMGET', KEYS[1], 'id', 'size')
if there[1] then
  local same = ARGV[2] == '0' or ARGV[2] == there[2]
  return {same and 0 or 17, there[1], there[2]}
end
local size = ARGV[2] == '0' and ARGV[3] or ARGV[2]
redis.call('HSET', KEYS[1], 'id', ARGV[1], 'size', size, 'used', 0, 'version', 0)
return {0, ARGV[1], size}
