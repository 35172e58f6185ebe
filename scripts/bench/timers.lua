-- SPDX-License-Identifier: MIT
-- A hundred thousand timers, each created and fired. Prints ns per timer.
local ipc = require "ipc"
local n, fired = 100000, 0
local function fire() fired = fired + 1 end
local start = os.clock()
for i = 1, n do ipc.after(i % 10 / 1000, fire) end
ipc.run()
print((os.clock() - start) / n * 1e9)
assert(fired == n)
