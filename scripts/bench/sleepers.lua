-- SPDX-License-Identifier: MIT
-- Memory of a task that sleeps, among a hundred thousand. Prints bytes.
local ipc = require "ipc"
local n = 100000

local function resident()
  local file = assert(io.open("/proc/self/statm"))
  local _, pages = file:read("n", "n")
  file:close()
  return pages * 4096
end

collectgarbage()
local before = resident()
for _ = 1, n do ipc.task(ipc.sleep, 1000) end
ipc.sleep(0.01)
print((resident() - before) / n)
os.exit(0)
