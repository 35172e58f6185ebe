-- SPDX-License-Identifier: MIT
-- Processes that die at a point: before a store into shared memory, see scripts/tools/points.c. Needs the program that
-- make points builds.

local ipc = require "ipc"
local assert = require "luassert"
local processes = require "spec.support.processes"
local segment = require "spec.support.segment"

local points = {PATIENCE = 20, missing = not rawget(_G, "points") and "this build has no kill points (make points)"}
local here = rawget(_G, "points")

-- A child that opens what it needs with `open`, and dies at the n-th point of `act` of that. Returns whether it came to
-- the end first, and its pid. With `meanwhile` it stops at the point before, and that is called.
function points.run(n, open, act, meanwhile)
  local child <close> = assert(ipc.process(function(channel)
    local things = table.pack(open())
    here.arm(n, meanwhile ~= nil)
    act(table.unpack(things, 1, things.n))
    here.passed()
    channel:send("survived")
    os.exit(true, false)
  end))
  if meanwhile then
    local state
    processes.await(function()
      state = processes.state(child.pid)
      return state == "T" or state == "Z" or not state -- or it has come to its end
    end, "it does not stop")
    if state == "T" then
      meanwhile()
      child:signal("CONT")
    end
  end
  local survived = child.channel:receive(points.PATIENCE) == "survived"
  local ok, how, code = child:wait(points.PATIENCE)
  if not survived then assert.same({false, "signal", 9}, {ok or false, how, code}) end
  return survived, child.pid
end

-- For every point there is: makes ready, has a child die there, and looks at what is left. Returns how many there were.
--   case.open, case.act        as above
--   case.before()              everything as it was
--   case.meanwhile()           it has stopped at the point before; or nil
--   case.after(survived, pid)  what is there now
function points.each(case)
  local n, survived, pid = case.meanwhile and 1 or 0
  repeat
    n = n + 1
    if case.before then case.before() end
    survived, pid = points.run(n, case.open, case.act, case.meanwhile)
    case.after(survived, pid)
  until survived
  assert.is_true(n > 1, "there is no point")
  return n - 1
end

local results = setmetatable({}, {__mode = "k"})

-- A child that waits in act(open()), and says later what came of it. It sleeps by now, in the line or for the latch,
-- or has it already.
function points.waiter(noun, key, open, act)
  local child = assert(ipc.process(function(channel)
    local a, b = act(open())
    channel:send{a == nil and "nil" or a, b}
    channel:receive()
    os.exit(true, false)
  end))
  processes.await(function()
    results[child] = child.channel:receive(0)
    return results[child] or segment.parked(noun, key) or segment.contended(noun, key)
  end, "it does not come to wait")
  return child
end

-- Until a process sleeps in the table of waiters, or has ended; true if it sleeps there. noun: that of the object, or
-- "room": it waits to send.
function points.await_sleep(noun, key, pid)
  local sleeps
  processes.await(function()
    local states = noun == "room" and segment.senders(key) or segment.waiters(noun, key)
    sleeps = states[pid] == "waiting" and processes.state(pid) == "S"
    return sleeps or processes.state(pid) == "Z" or not processes.state(pid)
  end, "it does not come to wait")
  return sleeps
end

-- Is that known?
function points.has_result(child)
  results[child] = results[child] or child.channel:receive(0)
  return results[child] ~= nil
end

-- What came of a waiter's wait.
function points.result(child)
  local result = results[child] or assert(child.channel:receive(points.PATIENCE), "a waiter was not woken")
  return result[1], result[2]
end

-- An object after a death is sound, when another process has touched it. A process that the death has woken may be
-- inside for a moment: it has the latch then.
function points.sound(noun, key, touch)
  local ok, fault
  touch()
  processes.await(function()
    ok, fault = pcall(segment.check, noun, key)
    return ok or not fault:find("latch", 1, true)
  end, "the latch is not free")
  assert(ok, fault)
end

return points
