-- SPDX-License-Identifier: MIT
-- Shared data on a disk, in a folder of /tmp: so many tasks set names of their own for a second; sync "each" or "soon".
-- Prints ns per set.
local ipc = require "ipc"
local tasks, sync = tonumber(arg[1]) or 1, arg[2]

local path = os.tmpname()
os.remove(path)
local data = assert(ipc.shared_data(ipc.disk_key(path), {codec = "raw", sync = sync}))
local value, sets, start = ("x"):rep(100), 0, ipc.now()
ipc.scope(function(scope)
  for t = 1, tasks do
    scope:task(function()
      for i = 1, math.huge do
        assert(data:set(("%d.%08d"):format(t, i), value))
        sets = sets + 1
        if ipc.now() - start > 1 then return end
      end
    end)
  end
end)
print((ipc.now() - start) / sets * 1e9)
data:close()
os.execute("rm -r " .. path)
