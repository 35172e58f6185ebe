-- SPDX-License-Identifier: MIT
-- Shared data that is set, got, added to, updated, shown and waited for, while memory runs out.

local ipc = require "ipc"

local data <close> = assert(ipc.shared_data(ipc.private, {codec = "lua", size = 65536}))
assert(data:set("list", {1, 2, {three = 3}}))
assert(data:add("n", 1) == 1)
local t = ipc.task(function() return data:wait("m", 0, 5) end)
ipc.yield()
assert(data:update("m", function() return "new" end) == "new")
assert(t:join())
for name, value in pairs(data) do assert(data:set(name, value, true)) end
assert(data:get("list")[3].three == 3)
assert(data:count() == 3 and data:delete("n") and data:stat().names == 2)
for name, value in data:each() do assert(name == "m" and value == "new" or name == "list") end
assert(data:clear() == 2 and data:count() == 0)
assert(data:set("a", 1, nil, {ttl = 1000}) and data:set("b", 1, nil, {ttl = 1e-9}) and not data:get("b"))
assert(data:change(function(change)
  change:set("a", change:get("a") + 1)
  change:set("c", {1, 2}, {ttl = 1000})
  change:delete("b")
  return change:get("c")[2]
end) == 2)
local _, version = data:get("a")
version = assert(data:set("a", 5, version, {ttl = 0.001}))
assert(select(2, data:wait("a", version, 5)) == 0)
assert(data:count() == 1 and data:clear() == 1)
