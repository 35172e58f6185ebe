-- SPDX-License-Identifier: MIT
-- A take that found the job of a dead process on a disk made it ready, and announced that. The job was over its limit
-- and became a dead letter, so the take waited; its own announcement woke it, it made the job of the dead process ready
-- again, of which there was none any more, announced that, and so on without end.

local ipc = require "ipc"
local disk = require("spec.support.engines").disk
local jobs = require "spec.support.jobs"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

describe("a take that waits since a job has died", function()
  after_each(disk.cleanup)

  -- How often the lock of the folder was had: a number behind eight bytes and four of its control file.
  local function turns(folder)
    local file <close> = assert(io.open(folder .. "/control", "rb"))
    return (string.unpack("=I4", file:read(16), 13))
  end

  it("waits, and does not wake itself", function()
    local key = disk.key()
    local function open() return assert(ipc.queue(key, {deaths = 1})) end
    local q <close> = open()
    local other <close> = assert(ipc.queue(ipc.disk_key(key.path, "other")))
    assert.is_true(q:send(1, "poison"))
    jobs.kill(jobs.holder(open))
    local t = ipc.task(function() return q:take(1, PATIENCE) end)
    ipc.yield()
    for _ = 1, 10 do assert.is_true(other:send(1, "settled")) end
    local child = assert(ipc.process(function()
      local mine <close> = assert(ipc.queue(ipc.disk_key(key.path, "other")))
      for _ = 1, 20 do assert(mine:send(1, "something else")) end
    end))
    local before = turns(key.path)
    assert.is_true(child:wait(PATIENCE))
    assert.is_true(turns(key.path) - before < 30)
    assert.equal(1, q:stat().dead)
    assert.is_true(q:send(1, "work"))
    local ok, job = t:join(PATIENCE)
    assert.is_true(ok)
    assert.equal("work", job.message)
    assert.is_true(job:done())
  end)
end)
