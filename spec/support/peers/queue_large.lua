-- SPDX-License-Identifier: MIT
-- Run where kernel.msgmax has been raised to 60000 and kernel.msgmnb to 120000, in a namespace of its own: messages
-- larger than a first buffer, from a foreign program and to it. queue_large.lua PATH; prints "ok".

package.path = "./?.lua;" .. package.path

local ipc = require "ipc"
local peer = require "spec.support.peer"

local path = arg[1]
local q = assert(ipc.queue(ipc.file_key(path), {codec = "raw"}))
local p <close> = peer.start("queue.c", path, 0)

local function set(limit, value)
  local file = assert(io.open("/proc/sys/kernel/" .. limit, "w"))
  assert(file:write(value))
  assert(file:close())
end

assert(q:stat().max_message == 60000 and q:stat().capacity == 120000)
for _, size in ipairs{8192, 8193, 40000, 60000} do
  assert(p:ask("large 3 " .. size) == "ok")
  assert(#q:peek(3) == size)
  assert(q:receive(3, 0) == ("x"):rep(size))
  local t = ipc.task(q.receive, q, 4, 20)
  ipc.sleep(0.002) -- so that it waits in the kernel
  assert(p:ask("large 4 " .. size) == "ok")
  assert(select(2, t:join()) == ("x"):rep(size))
  assert(q:send(5, ("y"):rep(size), 0))
  assert(p:ask("receive 5") == "5 " .. size)
end

-- the limit is lowered while the queue is open
set("msgmax", 5000)
local ok, message, code = q:send(1, ("x"):rep(6000))
assert(not ok and code == 90 and message:find("limit of 5000 bytes (kernel.msgmax)", 1, true), message)
assert(q:send(1, ("x"):rep(5000), 0))
set("msgmax", 60000)
ok, message = q:send(1, ("x"):rep(5001), 0) -- known as it was; a new handle asks again
assert(not ok and message:find("limit of 5000", 1, true), message)
assert(ipc.queue(ipc.file_key(path), {codec = "raw"}):send(1, ("x"):rep(60000), 0))
assert(p:ask("remove") == "ok")
p:close()
peer.clean()
print("ok")
