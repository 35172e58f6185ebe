-- SPDX-License-Identifier: MIT
-- A queue on a Redis server: sent to, received from, waited for in every way, handed over. IPC_REDIS is its socket;
-- without, nothing.
local ipc = require "ipc"

local socket = os.getenv("IPC_REDIS")
if not socket then return end
local file <close> = assert(io.open("/proc/self/stat"))
local key = assert(ipc.redis_key(("redis+unix://%s?name=oom.%d"):format(socket, file:read("n"))))
local q <close> = assert(ipc.queue(key, {capacity = 1000, codec = "raw"}))
local twin <close> = assert(ipc.queue(key, {codec = "raw"}))
local remove <close> = setmetatable({}, {__close = function() q:remove() end})
assert(remove)
for i = 1, 3 do assert(q:send(i, tostring(i), 5)) end
assert(q:receive(-9, 5) == "1" and twin:receive(3, 5) == "3" and q:peek() == "2" and #q == 1)
assert(ipc.select({{q, "receive", 2}, {twin, "receive"}, {q, "send", 7, "x"}}, 5))
while q:receive(0, 0) do end
assert(q:send_many(3, {"one", "two", "three"}, 5) and #q == 3)
assert(q:receive_many(2, nil, 5)[2] == "two" and q:receive_many(9, 3, 5)[1] == "three")
local t = ipc.task(function() return q:receive(0, 5) end)
assert(not q:receive(5, 0.001))
local u = ipc.task(function() return twin:receive(4, 5) end)
ipc.yield()
assert(q:stat())
assert(q:send(4, "to either", 5) and q:send(4, "to the other", 5))
assert(select(2, assert(t:join(5))) and select(2, assert(u:join(5))))
assert(q:send(1, ("x"):rep(1000), 5))
local full = ipc.task(function() return q:send(1, "y", 5) end)
assert(not q:send(1, "y", 0))
ipc.yield()
assert(#q:receive(1, 5) == 1000)
assert(full:join(5))
local v = ipc.task(function() return q:receive(9, 5) end)
ipc.yield()
v:cancel()
