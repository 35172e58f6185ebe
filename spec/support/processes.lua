-- SPDX-License-Identifier: MIT
-- What other processes do, as the kernel tells it, and waiting for that: nothing announces it.

local assert = require "luassert"
local ipc = require "ipc"
local waits = require "spec.support.waits"

local processes = {}

-- "S": sleeps, "T": is stopped, "Z": has ended; nil: there is no such process.
function processes.state(pid)
  local file = io.open(("/proc/%d/stat"):format(pid))
  local text = file and file:read("a") or ""
  if file then file:close() end
  return text:match("%) (%a)")
end

-- How often the threads of a process have gone to sleep.
function processes.sleeps(pid)
  local total = 0
  for path in io.popen(("ls -d /proc/%d/task/*"):format(pid)):lines() do
    local file = io.open(path .. "/status")
    local text = file and file:read("a") or ""
    if file then file:close() end
    total = total + (tonumber(text:match("\nvoluntary_ctxt_switches:%s+(%d+)")) or 0)
  end
  return total
end

-- Until something is so that nothing tells.
function processes.await(condition, problem)
  local patience = ipc.now() + waits.PATIENCE
  while not condition() do
    assert.is_true(ipc.now() < patience, problem)
    ipc.sleep(0.0002)
  end
end

return processes
