-- SPDX-License-Identifier: MIT
-- Jobs and workers, on one machine or on many: only the key is another one.
--   ipclua jobs.lua                                   two workers and eight jobs, on this machine
--   ipclua jobs.lua --key redis://db.example/jobs work     on each machine that is to work
--   ipclua jobs.lua --key redis://db.example/jobs give 8   somewhere else
--   ipclua jobs.lua --key redis://db.example/jobs stop 2   so many workers
-- See doc/queue.md.

local ipc = require "ipc"

local JOB <const>, STOP <const>, RESULT <const> = 1, 2, 3

local words = table.move(arg, 1, #arg, 1, {})
local key = "shm:jobs"
if words[1] == "--key" then
  key = assert(words[2], "a key is needed")
  words = table.move(words, 3, #words, 1, {})
end
local queue = assert(ipc.queue(key))

-- A worker takes jobs until there are none, and it is told to stop.
local function work()
  for job, type in queue:messages(-STOP) do
    if type == STOP then return end
    assert(queue:send(RESULT, { number = job.number, square = job.number * job.number }))
  end
end

-- The results come in whatever order; here they are put into that of the jobs.
local function give(count)
  for number = 1, count do assert(queue:send(JOB, { number = number })) end
  local squares = {}
  for _ = 1, count do
    local result = assert(queue:receive(RESULT))
    squares[result.number] = result.square
  end
  print(table.concat(squares, " "))
end

local function stop(count)
  for _ = 1, count do assert(queue:send(STOP, true)) end
end

local count = tonumber(words[2]) or 8
if words[1] == "work" then
  work()
elseif words[1] == "give" then
  give(count)
elseif words[1] == "stop" then
  stop(count)
else
  local workers = { ipc.process(work), ipc.process(work) }
  give(count)
  stop(#workers)
  for _, worker in ipairs(workers) do worker:wait() end
  queue:remove()
end
