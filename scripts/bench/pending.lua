-- SPDX-License-Identifier: MIT
-- What one timer costs, created and stopped, while arg[1] others are pending. Prints ns.
local ipc = require "ipc"
local pending = tonumber(arg[1])
local function never() end
for i = 1, pending do ipc.after(1000 + i * 7919 % pending, never) end
collectgarbage("stop")
local n = 100000
local start = os.clock()
for i = 1, n do ipc.after(1000 + i * 7907 % pending, never):stop() end
print((os.clock() - start) / n * 1e9)
os.exit(0)
