-- SPDX-License-Identifier: MIT
-- Programs that ipctl runs: with our standard output and error, ended when we end, however that is. INT, TERM and HUP
-- go on to the program, and then it is waited for.

local ipc = require "ipc"
local out = require "ipctl.out"

local program = {}

local trap, stopped

-- From the first program on.
local function set_trap()
  trap = trap or ipc.signal_trap("INT", "TERM", "HUP")
  return trap
end

-- The status after such a signal, once one has come.
function program.stopped()
  return stopped and 128 + stopped
end

-- Takes a job for a program. From now on a signal finds us with no job, or gives it back: nil, "stopped".
function program.take(q, type, timeout)
  local which, job, what, errno = ipc.select({job = {q, "take", type}, told = {set_trap(), "wait"}}, timeout)
  if which == "told" then
    stopped = job.number
    return nil, "stopped"
  end
  if not which then return nil, job end
  return job, what, errno
end

-- A program need not read it.
local function feed(child, input)
  if not input then return end
  child.stdin:send(input)
  child.stdin:close()
end

-- Until it has ended; a signal is passed on, once each.
local function wait(child, lock)
  local cases = {ended = {child, "wait"}, told = {trap, "wait"}, lost = lock and {lock, "lost"}}
  while true do
    local which, result, how, code = ipc.select(cases)
    if which == "ended" then
      if how ~= "exit" and how ~= "signal" then out.fail("%s", tostring(how)) end
      return how, code
    end
    if which == "lost" then
      out.note("the lock is lost: the program is told to end")
      cases.lost = nil
    else
      stopped = result.number
      trap:reset()
    end
    child:signal(which == "lost" and "TERM" or stopped)
  end
end

-- Runs a program with a message as its standard input; without one it has ours. Answers "exit" or "signal" and the
-- code; "stopped" and a status, if it ended by a signal that came to us. `lock`: one that may be lost
-- meanwhile.
function program.run(command, input, lock)
  local options = table.move(command, 1, #command, 1, {stdin = input and "pipe" or nil, with_parent = true})
  options.framing, options.codec, options.max_message = "line", "raw", nil
  set_trap()
  local child <close> = out.check(ipc.process(options))
  local feeder = ipc.task(feed, child, input)
  local how, code = wait(child, lock)
  feeder:cancel()
  feeder:join()
  if stopped and not (how == "exit" and code == 0) then return "stopped", 128 + stopped end
  return how, code
end

-- What a program prints, errors too, and whether it ended with 0; nil: there is no such program.
function program.output(command, env)
  local options = table.move(command, 1, #command, 1, {stdin = "null", stdout = "pipe", stderr = "stdout", env = env})
  local child <close> = ipc.process(options)
  if not child then return nil end
  local lines = {}
  for line in child.stdout:messages() do lines[#lines + 1] = line end
  return table.concat(lines, "\n") .. "\n", child:wait() == true
end

return program
