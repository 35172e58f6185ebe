-- SPDX-License-Identifier: MIT
-- Shared data on a Redis server, $REDIS_SOCKET: get, set or add of one name, 64 bytes of value; by so many tasks at a
-- time (1: by none, the main chunk asks). `pairs`: goes through 10,000 names. Prints ns per call, or per name.
--   redis_data.lua get|set|add|pairs [tasks]
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
if what == "pairs" then
  n = 10000
  spread(function(first) for i = first, n, 100 do data:set(("name of %d"):format(i), value) end end)
  start = ipc.now()
  for _ in pairs(data) do end
elseif tasks == 1 then
  start = ipc.now()
  work(n)
else
  start = ipc.now()
  spread(function() work(n // 100) end)
end
print((ipc.now() - start) / n * 1e9)
