-- KEYS: meta held line seen who
-- Removes a lock, and tells all processes that wait for it. ARGV: id.
if redis.call("HGET", KEYS[1], "id") ~= ARGV[1] then return {43} end
local told = {}
for _, token in ipairs(redis.call("ZRANGE", KEYS[3], 0, -1)) do
  local client = token:match("^(.*):%d+$")
  if not told[client] then
    told[client] = true
    redis.call("PUBLISH", KEYS[1]:gsub("meta$", client), "removed " .. ARGV[1])
  end
end
redis.call("DEL", KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
return {0}
