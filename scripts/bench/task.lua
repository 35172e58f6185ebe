-- SPDX-License-Identifier: MIT
-- A task is made and joined, one after the other. Prints ns per task.
local ipc = require "ipc"
local n = 500000
local function work() end
local start = os.clock()
for _ = 1, n do ipc.task(work):join() end
print((os.clock() - start) / n * 1e9)
