-- SPDX-License-Identifier: MIT
-- For specs about waiting: tasks brought to their wait, and how long is long enough.

local ipc = require "ipc"

local waits = {
  PATIENCE = 20, -- seconds until a wait that should have ended fails the spec
  SANITIZED = os.getenv("IPC_SANITIZE"),
}

-- Runs every task until it waits.
function waits.settle()
  for _ = 1, 3 do ipc.yield() end
end

-- A task that is waiting. One that makes calls that are served at once gives turns, and is ready meanwhile.
function waits.waiting(fn, ...)
  local t = ipc.task(fn, ...)
  waits.settle()
  local deadline = ipc.now() + waits.PATIENCE
  while t:status() == "ready" and ipc.now() < deadline do ipc.yield() end
  assert(t:status() == "waiting", t:status())
  return t
end

-- Until a server has answered all that this process asked it about the queue.
function waits.answered(queue)
  return #queue
end

function waits.collect()
  collectgarbage()
  collectgarbage()
end

return waits
