-- KEYS: meta
-- Makes a lock unless it is there. ARGV: an id for it, the permits, 1 if it tells of holders that died: a mutex.
-- The id is the object's for ever: one that was removed, or lost by the server, is not taken for the one after it.
-- Replies 0, id; or 17 (EEXIST), permits.
local found = redis.call("HMGET", KEYS[1], "id", "max")
if not found[1] then
  redis.call("HSET", KEYS[1], "id", ARGV[1], "max", ARGV[2], "tells", ARGV[3])
  return {0, ARGV[1]}
end
if found[2] ~= ARGV[2] then return {17, tonumber(found[2])} end
return {0, found[1]}
