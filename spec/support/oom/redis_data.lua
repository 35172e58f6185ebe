-- SPDX-License-Identifier: MIT
-- Shared data and shared memory on a Redis server, $IPC_REDIS, while memory runs out.

local ipc = require "ipc"

local socket = os.getenv("IPC_REDIS")
if not socket then return end
local name = os.getenv("IPC_OOM_FILE"):match("%w+$")
local key = assert(ipc.redis_key(("redis+unix://%s?name=%s"):format(socket, name)))

do
  local data <close> = assert(ipc.shared_data(key))
  assert(data:set("list", {1, 2, {three = 3}}))
  assert(data:add("n", 1) == 1)
  local t = ipc.task(function() return data:wait("m", 0, 5) end)
  ipc.yield()
  assert(data:update("m", function() return "new" end) == "new")
  assert(t:join())
  for shown, value in pairs(data) do assert(data:set(shown, value, true)) end
  assert(data:get("list")[3].three == 3)
  assert(data:add("n", 0.5) == 1.5)
  assert(data:count() == 3 and data:delete("n") and data:stat().names == 2)
  assert(data:change(function(change)
    change:set("a", change:get("m"), {ttl = 0.001})
    change:delete("list")
    return 2
  end) == 2)
  assert(select(2, data:wait("a", select(2, data:get("a")) or 1, 5)) == 0)
  for shown in data:each("m") do assert(shown == "m") end
  assert(data:clear() == 1)
  assert(data:remove())
end

local m <close> = assert(ipc.shared_memory(key, 10))
m[0] = 42
assert(m:add(0, 1) == 43 and m:compare_and_swap(0, 43, 44) and m[0] == 44)
local t = ipc.task(function() return m:wait(1, 0, 5) end)
ipc.yield()
m[1] = 5
assert(select(2, assert(t:join(5))) == 5)
assert(select(2, ipc.select({{m, "wait", 1, 5}, {m, "wait", 2, 0}}, 0.0001)) == "timeout")
assert(m:remove())
