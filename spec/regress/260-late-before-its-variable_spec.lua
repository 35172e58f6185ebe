-- SPDX-License-Identifier: MIT
-- A job's time could be over between the return of queue:take and the `<close>` variable that was to have the job: on a
-- busy machine the process loses the processor there. Then "late" was raised at once, no variable closed the job, and
-- it stayed taken until the collector found it. Now busy code has some steps more.

local ipc = require "ipc"

describe("a job whose time is over before its variable has it", function()
  local function late(q, take_job)
    local take = q.take
    local function stay() -- in the hook of the return
      if debug.getinfo(2, "f").func ~= take then return end
      debug.sethook()
      local since = ipc.now()
      while ipc.now() - since < 0.02 do end
    end
    return pcall(function()
      debug.sethook(stay, "r")
      local _ <close> = take_job(q)
      while true do end
    end)
  end

  local function plain(q) return q:take() end

  for name, take_job in pairs{
    ["plain"] = plain,
    ["asserted"] = function(q) return (assert(q:take(nil, 5))) end,
    ["selected"] = function(q) return (select(2, "x", q:take())) end,
  } do
    it("is tried again all the same: " .. name .. " #busy", function()
      local q <close> = ipc.queue(ipc.private, {within = 0.001, attempts = 1})
      q:send(1, "x")
      assert.same({false, "late"}, {late(q, take_job)})
      local stat = q:stat()
      assert.same({0, 0, 1}, {stat.ready, stat.taken, stat.dead})
      assert.equal("late", q:dead()(q).reason)
    end)

    it("is tried again in a task, too: " .. name .. " #busy", function()
      local q <close> = ipc.queue(ipc.private, {within = 0.001, attempts = 1})
      q:send(1, "x")
      assert.same({true, false, "late"}, {ipc.task(late, q, take_job):join()})
      assert.equal(1, q:stat().dead)
    end)
  end
end)
