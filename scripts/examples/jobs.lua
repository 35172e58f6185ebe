-- SPDX-License-Identifier: MIT
-- Jobs and workers, on one machine or on many: only the key is another one. A worker that is killed loses nothing: its
-- job is another worker's then, and each job has one result.
--   ipclua jobs.lua                                   two workers and eight jobs, in this program
--   ipclua jobs.lua --key redis://db.example/jobs work     on each machine that is to work
--   ipclua jobs.lua --key redis://db.example/jobs give 8   somewhere else
--   ipclua jobs.lua --key redis://db.example/jobs stop 2   so many workers
-- With the key of a disk, "disk:/var/lib/shop?name=jobs", they survive a restart of the machine. See doc/jobs.md.

local ipc = require "ipc"

local USAGE <const> = [[
usage: ipclua jobs.lua                            two workers and eight jobs, in this program
       ipclua jobs.lua [--key KEY] work           takes jobs until it is told to stop
       ipclua jobs.lua [--key KEY] give [COUNT]   gives jobs, 8 by default, and prints the results
       ipclua jobs.lua [--key KEY] stop [COUNT]   stops so many workers, 1 by default
KEY is "shm:jobs" by default; COUNT is 10000 at most, so that there is room for results.
]]

local MOST <const> = 10000

local JOB <const>, STOP <const>, RESULT <const> = 1, 2, 3

local function usage(status)
  (status == 0 and io.stdout or io.stderr):write(USAGE)
  os.exit(status)
end

-- How many words the verbs take, themselves among them.
local VERBS <const> = { work = 1, give = 2, stop = 2 }

-- The command line: key, verb, count; a verb of nil is the show, which leaves nothing behind.
local function parse(words)
  if words[1] == "--help" then usage(0) end
  if #words == 0 then return ipc.private, nil, 8 end
  local key = "shm:jobs"
  if words[1] == "--key" then
    key = words[2] or usage(2)
    words = table.move(words, 3, #words, 1, {})
  end
  local verb, count = words[1], math.tointeger(tonumber(words[2] or words[1] == "stop" and 1 or 8))
  if #words > (VERBS[verb or ""] or 0) or not verb or not count or count < 1 or count > MOST then usage(2) end
  return key, verb, count
end

local function fail(problem)
  io.stderr:write("jobs.lua: ", tostring(problem), "\n")
  os.exit(1, true)
end

local key, verb, many = parse { ... }
local opened, queue, problem = pcall(ipc.queue, key)
if not opened or not queue then fail(problem or queue) end

-- A worker takes jobs until there are none, and it is told to stop. A job becomes its result in one step.
local function work()
  while true do
    local job <close> = assert(queue:take(-STOP))
    if job.type == STOP then return job:done() end
    local number = job.message.number
    local _, why, errno = job:done(RESULT, { number = number, square = number * number })
    if errno then error(why, 0) end
    if why == "full" then     -- results take room until they are received
      job:release()
      ipc.sleep(0.1)
    end
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

-- Until it has ended, or the program is to stop: then the job that it works on is released.
local function run(command, count)
  local trap <close> = ipc.signal_trap("INT", "TERM")
  local task <close> = ipc.task(command, count)
  local case, ok, why = ipc.select { { task, "join" }, { trap, "wait" } }
  if case == 1 and not ok then fail(why) end
  if case == 2 then
    task:close()
    os.exit(128 + ok.number, true)
  end
end

local commands = { work = work, give = give, stop = stop }

if verb then
  run(commands[verb], many)
else
  local first <close> = ipc.process(work)
  local second <close> = ipc.process(work)
  give(many)
  stop(2)
  first:wait()
  second:wait()
end
