-- KEYS: meta held line tokens
-- Makes a lock unless it is there. ARGV: an id for it, or "" to make none (2, ENOENT), the permits, 1 if it
-- tells of holders that died: a mutex.
-- The id is the object's for ever: one that was removed, or lost by the server, is not taken for the one after it.
-- To publish where no process listens shows that the user may. Replies 0, id; or 17 (EEXIST), permits.
local meta = KEYS[1]
redis.call("PUBLISH", meta:gsub("meta$", "check"), "")
local found = redis.call("HMGET", meta, "id", "max")
if found[1] then
  if found[2] ~= ARGV[2] then return {17, tonumber(found[2])} end
  return {0, found[1]}
end
if ARGV[1] == "" then return {2} end
local info, time = redis.pcall("INFO", "server"), redis.call("TIME")
local run = type(info) == "string" and info:match("run_id:(%w+)") or ""
redis.call("DEL", unpack(KEYS)) -- what was left when the server evicted the rest
redis.call("HSET", meta, "id", ARGV[1], "max", ARGV[2], "tells", ARGV[3], "run", run,
  "since", ("%.0f"):format(time[1] * 1000 + math.floor(time[2] / 1000)))
return {0, ARGV[1]}
