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
