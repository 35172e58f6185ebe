-- SPDX-License-Identifier: MIT
-- Waits in every way for queues where nothing happens, a second long. queue_idle.lua PATH EMPTY FULL: the projects.

local ipc = require "ipc"

local path, empty, full = arg[1], tonumber(arg[2]), tonumber(arg[3])
local q = assert(ipc.queue(ipc.file_key(path, empty)))
local other = assert(ipc.queue(ipc.file_key(path, full)))
while other:send(1, ("x"):rep(1000), 0) do end
for i = 1, 20 do
  ipc.task(q.receive, q, 1):detach()
  ipc.task(q.receive, q, -5 - i % 2):detach()
  ipc.task(ipc.select, {q, {q, "receive", 9}}):detach()
  ipc.task(other.send, other, 1, ("x"):rep(1000)):detach()
end
ipc.yield()
io.write("waiting\n")
io.flush()
ipc.sleep(1)
