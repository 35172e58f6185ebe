-- SPDX-License-Identifier: MIT
-- A child of ipc.process that closed locks which tasks of its parent held wrote to the records that these tasks have on
-- the parent's board: its own board is smaller, and it died of SIGBUS.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

describe("a child that closes what tasks of its parent hold", function()
  after_each(engines.shm.cleanup)

  it("goes on", function()
    local locks, holders = {}, {}
    for i = 1, 45 do
      locks[i] = assert(ipc.mutex(engines.shm.key()))
      holders[i] = waits.waiting(function()
        locks[i]:acquire()
        ipc.sleep(waits.PATIENCE)
      end)
    end
    local child <close> = ipc.process(function()
      ipc.sleep(0) -- it has a board of its own
      ipc.task(ipc.sleep, 0.001):join()
      for i = 1, 45 do locks[i]:close() end
    end)
    assert.same({true, "exit", 0}, {child:wait(waits.PATIENCE)})
    for i = 1, 45 do
      holders[i]:close()
      locks[i]:close()
    end
  end)
end)
