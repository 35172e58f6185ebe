-- SPDX-License-Identifier: MIT
-- Thousands of jobs came back at once, each to a task that waited for its type. What the script had to write was more
-- than Lua's stack holds: it ended in the middle, and the jobs were neither taken nor ready nor dead.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE <const>, JOBS <const> = 2 * waits.PATIENCE, 2100

describe("jobs on a Redis server that come back to many tasks", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("are all taken", function()
    local server <close> = redis_process()
    local q <close> = assert(ipc.queue(server:key("jobs", nil, "&lease=60&timeout=60"), {keep = JOBS}))
    ipc.scope(function(scope)
      for i = 1, JOBS do
        scope:task(function()
          assert(q:send(i, i))
          assert(assert(q:take(i, PATIENCE)):bury())
        end)
      end
    end)
    assert.equal(JOBS, q:stat().dead)
    local taken = 0
    ipc.scope(function(scope)
      for i = 1, JOBS do
        scope:task(function()
          local job = assert(q:take(i, PATIENCE))
          assert.equal(i, job.message)
          assert(job:done())
          taken = taken + 1
        end)
      end
      scope:task(function()
        for _ = 1, 3 do waits.answered(q) end -- they ask, and ask to hear, and hear
        assert.equal(JOBS, q:revive())
      end)
    end)
    local stat = q:stat()
    assert.same({JOBS, 0, 0, 0}, {taken, stat.ready, stat.taken, stat.dead})
  end)
end)
