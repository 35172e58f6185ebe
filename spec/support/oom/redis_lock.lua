-- SPDX-License-Identifier: MIT
-- Locks on a Redis server, held, waited for, lost to others and given back. IPC_REDIS is its socket; without, nothing.
local ipc = require "ipc"

local socket = os.getenv("IPC_REDIS")
if not socket then return end
local file <close> = assert(io.open("/proc/self/stat"))
local key = assert(ipc.redis_key(("redis+unix://%s?name=oom.%d&lease=0.3"):format(socket, file:read("n"))))
local m <close> = assert(ipc.mutex(key))
local twin <close> = assert(ipc.mutex(key, {lease = 0.2}))
local s <close> = assert(ipc.semaphore(key, 2))
local remove <close> = setmetatable({}, {__close = function() m:remove() s:remove() end})
assert(remove)
assert(m:acquire(5))
local t = ipc.task(function() return twin:acquire(5), twin:release() end)
assert(select(2, ipc.select({s, {s, "hold"}, m}, 5)))
assert(not m:acquire(0.0001) and not m:acquire(0))
ipc.sleep(0.12) -- renewals
assert(m:holder() and m:token() and s:value() == 1)
assert(m:release())
assert(select(2, assert(t:join(5))))
local held <close> = assert(s:hold(5))
assert(held)
local u = ipc.task(function() return m:acquire(5) end)
ipc.yield()
u:cancel()
