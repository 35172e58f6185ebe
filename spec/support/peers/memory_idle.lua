-- SPDX-License-Identifier: MIT
-- Waits in every way for slots where nothing happens, a second long. memory_idle.lua KEY: its text.

local ipc = require "ipc"

local m = assert(ipc.shared_memory(assert(ipc.key(arg[1])), 40))
local other = assert(ipc.shared_memory(ipc.private, 40))
for i = 0, 39 do
  ipc.task(m.wait, m, i, 0):detach()
  ipc.task(other.wait, other, i, 0):detach()
  ipc.task(ipc.select, {{m, "wait", i, 0}, {other, "wait", i, 0}}):detach()
end
ipc.yield()
io.write("waiting\n")
io.flush()
ipc.sleep(1)
