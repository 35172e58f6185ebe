-- KEYS: meta held
-- Keeps the lease of a handle, whatever it holds and waits for. ARGV: handle, lease in ms, and, if it waits for other
-- handles, the permits; else 0; and how many it holds, as far as it knows. Replies 0, and how many ms from now the
-- first lease of another holder ends, 0 if a permit is free, or the handle has one that it does not know of, or -1; or
-- 116 (ESTALE): its lease has ended.
local call, base, first = redis.call, KEYS[1]:sub(1, -5), -1
local permits = tonumber(ARGV[3])
if call("PEXPIRE", base .. ARGV[1], ARGV[2]) == 0 then return {116} end
local held = permits > 0 and call("ZRANGE", KEYS[2], 0, -1) or {}
if #held < permits then return {0, 0} end
local mine = 0
for _, token in ipairs(held) do
  local handle = token:match("^(.*):")
  if handle == ARGV[1] then
    mine = mine + 1
  else
    local left = math.max(call("PTTL", base .. handle), 0)
    if first < 0 or left < first then first = left end
  end
end
if mine > tonumber(ARGV[4]) then return {0, 0} end
return {0, first}
