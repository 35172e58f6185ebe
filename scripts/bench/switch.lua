-- SPDX-License-Identifier: MIT
-- Two tasks take turns. Prints ns per switch.
local ipc = require "ipc"
local n = 1000000
local function turns()
  for _ = 1, n do ipc.yield() end
end
local start = os.clock()
local a, b = ipc.task(turns), ipc.task(turns)
a:join()
b:join()
print((os.clock() - start) / (2 * n) * 1e9)
