-- SPDX-License-Identifier: MIT
-- The storm over everything (spec/storm/all.lua), in shared memory: kills only, so many. STORM_KILLS=3000 for
-- thousands; make storm has the rest.

local ipc = require "ipc"
local all = require "spec.storm.all"
local engines = require "spec.support.engines"
local segment = require "spec.support.segment"

local shm = engines.shm

describe("a storm of kills over everything in shared memory", function()
  after_each(shm.cleanup)

  it("breaks nothing", function()
    local KILLS <const> = tonumber(os.getenv("STORM_KILLS")) or os.getenv("IPC_SANITIZE") and 20 or 80
    local key = shm.key()
    local function open()
      return assert(ipc.mutex(key)), assert(ipc.shared_memory(key, all.SLOTS)),
        assert(ipc.shared_data(key, {size = 1 << 20})), assert(ipc.queue(key, {codec = "raw", capacity = 30000}))
    end
    local seen = all.storm({kills = KILLS, pause = 0.008}, {open = open, tells = true, size = 1500})
    assert.is_true(seen.steps > KILLS)
    segment.check("queue", key)
    segment.check("mutex", key)
  end)
end)
