-- SPDX-License-Identifier: MIT
-- For specs about jobs: processes that take one.

local ipc = require "ipc"
local assert = require "luassert"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

local jobs = {}

-- What is told of a job, or of a dead letter, in one line.
function jobs.line(job)
  return ("%s %s attempt %d deaths %d %s"):format(job.message, job.type, job.attempt, job.deaths, job.reason or "-")
end

-- The dead letters, as lines.
function jobs.dead(q)
  local list = {}
  for letter in q:dead() do list[#list + 1] = jobs.line(letter) end
  return list
end

-- A child that takes a job, says its message, and then does what it is told: the name of a method, and its arguments.
function jobs.holder(open)
  local child = assert(ipc.process(function(channel)
    local job = assert(open():take(nil, PATIENCE))
    channel:send(job.message)
    for command in channel:messages() do
      local ok, word = job[command[1]](job, table.unpack(command, 2))
      channel:send{ok or "nil", word}
    end
  end))
  assert.is_truthy(child.channel:receive(PATIENCE))
  return child
end

-- It is killed, and has ended.
function jobs.kill(child)
  child:signal("KILL")
  assert.same({nil, "signal", 9}, {child:wait(PATIENCE)})
end

return jobs
