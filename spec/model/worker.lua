-- SPDX-License-Identifier: MIT
-- Runs the programs of some seeds on one engine, one after the other in one process; a fault ends it, with what has
-- happened. Says the number of each seed before it starts.
--   ipclua spec/model/worker.lua ENGINE START COUNT PATH [without=1,2,3] [trace]
-- PATH is a file of the caller's, for keys and to lock; after a fault the caller calls with `clean`:
--   ipclua spec/model/worker.lua clean PATH

local ipc = require "ipc"
local program = require "spec.model.program"
local World = require "spec.model.world"

local MOST_KEYS <const> = 5

local function name_of(path) return (("model" .. path):gsub("/", ".")) end

local keys = {}
function keys.private() return ipc.private end
function keys.shm(path, n) return assert(ipc.shm_key(("%s.%d"):format(name_of(path), n))) end
function keys.sysv(path, n) return assert(ipc.file_key(path, n)) end

-- Removes what a worker has left behind.
local function clean(path)
  for n = 1, MOST_KEYS do
    local id = keys.sysv(path, n).id & 0xffffffff
    os.execute(("{ ipcrm -S 0x%x; ipcrm -Q 0x%x; } 2>/dev/null"):format(id, id))
  end
  os.execute(("rm -f /dev/shm/ipclua.*.%s.*"):format(name_of(path)))
end

local function work(engine, start, count, path, ...)
  local without, trace = {}, false
  for _, word in ipairs{...} do
    for number in word:gmatch("%d+") do without[tonumber(number)] = true end
    trace = trace or word == "trace"
  end
  local options = {path = path, handles = engine == "private" and 1 or 2, threads = engine == "sysv"}
  function options.key(n) return keys[engine](path, n) end
  for seed = start, start + count - 1 do
    print(seed)
    local world = World.new(program.make(seed, without), options)
    local ok, err = xpcall(world.run, debug.traceback, world)
    if not ok then world:fail(world.main, "%s", err) end
    if trace then print(table.concat(world.trace, "\n")) end
  end
end

if arg[1] == "clean" then return clean(arg[2]) end
io.stdout:setvbuf("no")
ipc.signals_async(false) -- callbacks come where something waits, and not in the middle of the books
work(arg[1], math.tointeger(arg[2]), math.tointeger(arg[3]), table.unpack(arg, 4))
