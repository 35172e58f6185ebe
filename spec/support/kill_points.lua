-- SPDX-License-Identifier: MIT
-- Processes that die at a point of their use of a folder on a disk (peers/kill_points.c), and a look at the folder that
-- touches nothing (peers/disk_check.c).

local ipc = require "ipc"
local assert = require "luassert"
local peer = require "spec.support.peer"
local rounds = require "spec.support.rounds"
local waits = require "spec.support.waits"

local IPCLUA = os.getenv("IPCLUA") or "build/ipclua"

local kill_points = {}

local CODE <const> = [[
  local ipc = require "ipc"
  %s
  print "open"
  io.stdout:flush()
  io.read()
  os.remove "kill points: arm"
  %s
  os.remove "kill points: passed"
  os.exit(true, false)
]]

-- Runs the code `open` and then `act`, which find their folder in $FOLDER, and dies at the n-th point of `act`; 0: at
-- none. meanwhile(), if there is one, is called in between. Returns how many points there were, or nil: it has died.
function kill_points.run(folder, open, act, n, meanwhile)
  local child <close> = assert(ipc.process{
    "env", "FOLDER=" .. folder, "KILL_AT=" .. n,
    "LD_PRELOAD=" .. peer.compile("kill_points.c", "-shared -fPIC -ldl"), IPCLUA, "-e", CODE:format(open, act),
    stdin = "pipe", stdout = "pipe", stderr = "pipe",
  })
  assert.equal("open", child.stdout:receive(waits.PATIENCE))
  if meanwhile then meanwhile() end
  child.stdin:send("go")
  local said = child.stdout:receive(waits.PATIENCE)
  local problem = child.stderr:receive(waits.PATIENCE)
  local _, how, code = child:wait(waits.PATIENCE)
  local points = said and tonumber(said:match("^points (%d+)$"))
  local ended = points and {"exit", 0} or {"signal", 9}
  assert.same(ended, {how, code}, problem)
  return points
end

-- Is the folder sound? Returns how many messages are ready, delayed, taken and dead. live: others may be at work.
function kill_points.look(folder, live)
  local check = peer.compile("disk_check.c", "-Wl,--no-as-needed -llmdb")
  local pipe = assert(io.popen(("%s %s %s"):format(check, folder, live and "live" or "")))
  local text = pipe:read("a")
  pipe:close()
  assert.matches("^ok", text)
  local counts = {}
  for word in text:gmatch("%d+") do counts[#counts + 1] = tonumber(word) end
  return table.unpack(counts)
end

-- Calls try(n) for the points of a process, of which there are about so many; try returns whether the process came to
-- its end. There are some of them; with a large ROUNDS in the environment it is each of them. Returns whether it is.
function kill_points.each(count, shift, try)
  local some = math.min(count, rounds(1))
  local all = some == count
  if all then
    local n = 0
    repeat n = n + 1 until try(n)
  else
    local step = count // some
    for n = 1 + shift % step, count, step do try(n) end
  end
  return all
end

return kill_points
