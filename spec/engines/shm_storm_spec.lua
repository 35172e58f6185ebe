-- SPDX-License-Identifier: MIT
-- The storm over a queue (spec/storm/ledger.lua), in shared memory: kills only, so many; make storm has the rest.

local ipc = require "ipc"
local ledger = require "spec.storm.ledger"

describe("a storm of kills over a queue in shared memory #slow #nosan", function()
  it("tears, repeats and disorders nothing, and loses what a receiver took with it", function()
    local KILLS <const> = tonumber(os.getenv("STORM_KILLS")) or 80
    local CAPACITY <const> = 20000
    local key = ipc.shm_key("spec.storm." .. ipc.pid())
    local q <close> = assert(ipc.queue(key, {codec = "raw", capacity = CAPACITY}))
    local seen = ledger({kills = KILLS}, function() return q end, 3000)
    assert.is_true(seen.steps > KILLS)
    assert.is_true(q:send(1, ("x"):rep(CAPACITY), 0)) -- all of it is free
    q:remove()
  end)
end)
