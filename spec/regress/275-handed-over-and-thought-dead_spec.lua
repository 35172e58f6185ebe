-- SPDX-License-Identifier: MIT
-- A process that waits for a job without having one keeps no lease. When its last one ended just after a job had been
-- handed over to it, the job counted a death, though no process had begun with it; three of them would have made it a
-- dead letter. What is handed over and not confirmed goes back as if it had not been taken.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

describe("a job on a server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("counts no death of a process that had not got it yet", function()
    local server <close> = redis_process()
    local function open() return assert(ipc.queue(server:key("jobs", nil, "&lease=0.3"))) end
    local q <close> = open()
    q:send(1, "first")
    local child <close> = assert(ipc.process(function(channel)
      local mine = open()
      mine:take(nil, PATIENCE):done()
      channel:send("done")
      mine:take(nil, PATIENCE)
    end))
    assert.equal("done", child.channel:receive(PATIENCE))
    local deadline = ipc.now() + PATIENCE
    while server:cli("hget ipclua:{jobs}:queue:meta w") == "" and ipc.now() < deadline do ipc.sleep(0.01) end
    child:signal("STOP")
    q:send(1, "second")
    while q:stat().ready == 0 and ipc.now() < deadline do ipc.sleep(0.02) end -- finds that its lease has ended
    local job = assert(q:take(nil, PATIENCE))
    assert.same({"second", 1, 0}, {job.message, job.attempt, job.deaths})
    assert.is_true(job:done())
    child:signal("KILL")
  end)
end)
