-- SPDX-License-Identifier: MIT
-- Shared memory in every place where it lives, and a wait for it.
local ipc = require "ipc"

local path = assert(os.getenv("IPC_OOM_FILE")) -- what has its key or its name goes with it

local function try(key)
  local m <close> = assert(ipc.shared_memory(key, 10))
  local remove <close> = setmetatable({}, {__close = function() m:remove() end})
  assert(remove)
  m[0] = 42
  assert(m:add(0, 1) == 43 and m:compare_and_swap(0, 43, 44) and tostring(m))
  local t = ipc.task(function() return m:wait(1, 0) end)
  ipc.sleep(0.0001)
  m[1] = 5
  assert(select(2, assert(t:join(5))) == 5)
  assert(select(2, ipc.select({{m, "wait", 1, 5}, {m, "wait", 2, 0}}, 0.0001)) == "timeout")
end

try(ipc.private)
try(assert(ipc.shm_key("oom." .. path:match("%w+$"))))
try(assert(ipc.file_key(path)))
