-- SPDX-License-Identifier: MIT
-- Shared data on a Redis server, $REDIS_SOCKET: get, set or add of one name, 64 bytes of value; by so many tasks at a
-- time (1: by none, the main chunk asks). `ttl`: a set for a time. `change`: gets and sets two names together. `pairs`,
-- `each`: goes through 10,000 names. Prints ns per call, or per name.
--   redis_data.lua get|set|add|ttl|change|pairs|each [tasks]
local ipc = require "ipc"
local what, tasks = arg[1], tonumber(arg[2]) or 1
local key = ipc.redis_key(("redis+unix://%s?name=bench"):format(os.getenv("REDIS_SOCKET")))
local data = assert(ipc.shared_data(key, {codec = what == "add" and "json" or "raw"}))
local value = ("x"):rep(64)
local n = tasks == 1 and 10000 or 50000

if what ~= "add" then data:set("name", value) end
local calls = {
  get = function() return data:get("name") end,
  set = function() return data:set("name", value) end,
  add = function() return data:add("name", 1) end,
  ttl = function() return data:set("name", value, nil, {ttl = 60}) end,
  change = function()
    return data:change(function(change)
      local first, second = change:get("first"), change:get("second")
      change:set("first", second or value)
      change:set("second", first or value)
    end)
  end,
}
local function work(times)
  local call = calls[what]
  for _ = 1, times do call() end
end
local function spread(fn, ...)
  local list = {}
  for i = 1, 100 do list[i] = ipc.task(fn, i, ...) end
  for _, task in ipairs(list) do assert(task:join()) end
end

local start
if what == "pairs" or what == "each" then
  n = 10000
  spread(function(first) for i = first, n, 100 do data:set(("name of %d"):format(i), value) end end)
  start = ipc.now()
  if what == "each" then
    for _ in data:each() do end
  else
    for _ in pairs(data) do end
  end
elseif tasks == 1 then
  start = ipc.now()
  work(n)
else
  start = ipc.now()
  spread(function() work(n // 100) end)
end
print((ipc.now() - start) / n * 1e9)
