-- SPDX-License-Identifier: MIT
-- Runs the programs of some seeds, one after the other, in one process, on one engine:
--   ipclua spec/model/worker.lua shm|sysv|private START COUNT [trace]
-- Says the number of each before it starts. A fault ends it, with what has happened.

local ipc = require "ipc"
local program = require "spec.model.program"
local World = require "spec.model.world"

local engine, start, count = arg[1], math.tointeger(arg[2]), math.tointeger(arg[3])

local path = os.tmpname()
local pid = (function()
  local file <close> = assert(io.open("/proc/self/stat"))
  return math.tointeger(file:read("n"))
end)()

local keys = {}
function keys.private() return ipc.private end

local made = 0
function keys.shm()
  made = made + 1
  return assert(ipc.shm_key(("model.%d.%d"):format(pid, made)))
end

function keys.sysv()
  made = made + 1
  return assert(ipc.file_key(path, made % 256))
end

-- Callbacks run where something waits, and not in the middle of the books.
ipc.signals_async(false)
io.stdout:setvbuf("no")
for seed = start, start + count - 1 do
  print(seed)
  local world = World.new(program.make(seed), keys[engine], engine == "private" and 1 or 2, path, pid)
  world:run()
  world:finish()
  if arg[4] then print(table.concat(world.trace, "\n")) end
end
os.remove(path)
