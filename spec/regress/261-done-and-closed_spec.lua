-- SPDX-License-Identifier: MIT
-- A word about a job that had its answer was told as "expired" if the handle of the queue was closed before the task
-- ran again: the job was done, and its worker believed that it was not.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

contract.jobs(_ENV, "a word about a job whose queue is closed meanwhile", function(engine, open)
  if engine.private then return end -- with its handle goes the queue

  it("says whether it counts", function()
    for round = 1, 20 do
      local q = open()
      q:send(1, "x")
      local job = q:take(nil, PATIENCE)
      local t = ipc.task(job.done, job)
      for _ = 1, round % 5 do ipc.yield() end
      q:close()
      local _, ok, why = t:join(PATIENCE)
      local other <close> = open()
      if ok then
        assert.same({nil, "timeout"}, {other:take(nil, 0)})
      elseif why == "expired" then
        other:take(nil, PATIENCE):done() -- it has come back
      else
        assert.equal("closed", why) -- it may count or not
      end
      other:remove()
    end
  end)
end)
