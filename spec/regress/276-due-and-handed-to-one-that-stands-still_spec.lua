-- SPDX-License-Identifier: MIT
-- A job that became due was handed to a process that was stopped, and no process was to look whether it was confirmed:
-- the time for that was forgotten when the look for what was due ended. The others waited for half a minute.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

describe("a job on a server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("that was due, and went to a process that stands still, is another's soon", function()
    local server <close> = redis_process()
    local function open() return assert(ipc.queue(server:key("jobs"))) end
    local q <close> = open()
    local sleeper <close> = assert(ipc.process(function() open():take(nil, 10 * PATIENCE) end))
    local deadline = ipc.now() + PATIENCE
    while server:cli("hget ipclua:{jobs}:queue:meta w") == "" and ipc.now() < deadline do ipc.sleep(0.01) end
    sleeper:signal("STOP")
    local sender <close> = assert(ipc.process(function() open():send(1, "x", PATIENCE, {after = 0.05}) end))
    assert.is_true(sender:wait(PATIENCE))
    while q:stat().taken == 0 and ipc.now() < deadline do ipc.sleep(0.01) end -- it is due, and handed over
    local job = assert(q:take(nil, PATIENCE))
    assert.same({"x", 1, 0}, {job.message, job.attempt, job.deaths})
    assert.is_true(job:done())
    sleeper:signal("KILL")
  end)
end)
