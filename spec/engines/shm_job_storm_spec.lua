-- SPDX-License-Identifier: MIT
-- The storm over jobs (spec/storm/jobs.lua), in shared memory: so many kills, and some stops; make storm has the rest.

local ipc = require "ipc"
local jobs = require "spec.storm.jobs"

describe("a storm over jobs in shared memory #slow #nosan", function()
  it("loses none, gives none to two processes, and repeats only what a kill cut off", function()
    local KILLS <const> = tonumber(os.getenv("STORM_KILLS")) or 80
    local key = ipc.shm_key("spec.jobs." .. ipc.pid())
    local function open()
      return ipc.queue(key, {codec = "raw", capacity = 1 << 26, attempts = 60000, deaths = 60000, keep = 60000})
    end
    local q <close> = assert(open())
    local seen = jobs.storm({kills = KILLS, stops = 0.05}, open, 1 << 18)
    assert.is_true(seen.steps > KILLS)
    q:remove()
  end)
end)
