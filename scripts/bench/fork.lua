-- SPDX-License-Identifier: MIT
-- Forks, gets a byte from the child's function and waits for the child's end: ns per child. `fork.lua N`: while so many
-- tasks sleep.
local ipc = require "ipc"
local n = 1000

for _ = 1, tonumber(arg[1] or 0) do ipc.task(ipc.sleep, 1000):detach() end
ipc.yield()

local start = ipc.now()
for _ = 1, n do
  local child = assert(ipc.process(function(channel) channel:send("x") end))
  assert(child.channel:receive())
  child:wait()
  child.channel:close()
end
print((ipc.now() - start) / n * 1e9)
os.exit(0)
