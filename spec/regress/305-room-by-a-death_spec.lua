-- SPDX-License-Identifier: MIT
-- A sender that waited for room slept on when the death of a holder made a dead letter, which makes room for a send.
-- On a disk only what was meant to take something out told senders: now each call does that leaves more room. In shared
-- memory a take that found the death, and nothing for itself, did not serve the senders of its own process.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local jobs = require "spec.support.jobs"
local waits = require "spec.support.waits"

local PATIENCE <const>, waiting = waits.PATIENCE, waits.waiting

for _, engine in ipairs{engines.shm, engines.disk} do
  describe("a full queue on " .. engine.name, function()
    after_each(engine.cleanup)

    -- What stat says when a holder has been killed, a sender waits, and `find` is called.
    local function after_a_death(options, find)
      local key = engine.key()
      local function open() return assert(ipc.queue(key, options)) end
      local q <close> = open()
      for _ = 1, 10 do assert(q:send(1, ("x"):rep(100), 0)) end
      local child = jobs.holder(open)
      local sender = waiting(function() return q:send(2, ("y"):rep(100), PATIENCE) end)
      jobs.kill(child)
      find(q)
      assert.same({true, true}, {sender:join(PATIENCE)})
      local s = q:stat()
      q:remove()
      return s
    end

    local function stat(q) return q:stat() end
    local function take(q) assert.same({nil, "timeout"}, {q:take(7, 0)}) end

    for _, case in ipairs{{"stat", stat, 1}, {"take", take, 1}, {"take", take, 0}} do
      it(("has room for one that waits when %s finds a death, and keeps %d"):format(case[1], case[3]), function()
        local s = after_a_death({capacity = 1000, codec = "raw", deaths = 1, keep = case[3]}, case[2])
        assert.equal(10, s.ready)
      end)
    end
  end)
end
