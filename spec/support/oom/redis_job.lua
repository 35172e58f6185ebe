-- SPDX-License-Identifier: MIT
-- Jobs on a Redis server: taken, handed over, given back, delayed, dead and revived. IPC_REDIS is its socket; without,
-- nothing.
local ipc = require "ipc"

local socket = os.getenv("IPC_REDIS")
if not socket then return end
local file <close> = assert(io.open("/proc/self/stat"))
local key = assert(ipc.redis_key(("redis+unix://%s?name=oom.%d&lease=5"):format(socket, file:read("n"))))
local q <close> = assert(ipc.queue(key, {capacity = 1000, codec = "raw"}))
local twin <close> = assert(ipc.queue(key, {codec = "raw", attempts = 2}))
local remove <close> = setmetatable({}, {__close = function() q:remove() end})
assert(remove)
assert(q:send(1, "one", 5, {id = "a name", after = 0.001}))
local t = ipc.task(function() return q:take(0, 5) end)
local u = ipc.task(function() return twin:take(2, 5) end)
local _, job = assert(t:join(10))
assert(job.message == "one" and not q:send(1, "one", 5, {id = "a name"}))
local lost = ipc.task(function() return job:lost(5) end)
ipc.yield()
assert(job:done(2, "two"))
assert(lost:join(5))
_, job = assert(u:join(10))
assert(job:retry(0, "once more"))
job = assert(twin:take(2, 5))
assert(job:retry(0, "for the last time"))
for letter in q:dead() do assert(letter.reason == "for the last time") end
assert(q:revive() == 1 and q:stat().ready == 1)
job = assert(q:take(0, 5))
assert(job:release() and q:take(0, 5):bury("no") and q:drop() == 1)
for i = 1, 5 do assert(q:send(1, tostring(i), 5)) end
local all = {}
for i = 1, 5 do all[i] = ipc.task(function() return assert(q:take(1, 5)):done() end) end
for i = 1, 5 do assert(select(2, all[i]:join(10))) end
local v = ipc.task(function() return q:take(9, 5) end)
ipc.yield()
v:cancel()
q:send(3, "left")
twin:take(3, 5)
twin:close()
