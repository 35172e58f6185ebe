-- SPDX-License-Identifier: MIT
-- Waits in every way for shared data where nothing happens, a second long. data_idle.lua NAME

local ipc = require "ipc"

local d = assert(ipc.shared_data(ipc.shm_key(arg[1])))
local other = assert(ipc.shared_data(ipc.private))
for i = 1, 20 do
  ipc.task(d.wait, d, "x" .. i, 0):detach()
  ipc.task(ipc.select, {{d, "wait", "y"}, {other, "wait", "z"}}):detach()
end
ipc.yield()
io.write("waiting\n")
io.flush()
ipc.sleep(1)
