-- SPDX-License-Identifier: MIT
-- A process that was stopped while it had the latch of shared memory, for an instant, kept the others from nothing:
-- they waited five seconds, and then changed the slot. But they did so at every single change of a slot that a task
-- waits for.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local segment = require "spec.support.segment"
local waits = require "spec.support.waits"

local shm = engines.shm

describe("a process that stands still with the latch of shared memory", function()
  after_each(shm.cleanup)

  it("is waited for once #slow #nosan", function()
    local key = shm.key()
    local memory <close> = assert(ipc.shared_memory(key, 4))
    local child <close> = assert(ipc.process(function(channel)
      channel:send(memory:wait(1, 0, waits.PATIENCE))
      channel:receive()
    end))
    while not segment.parked("memory", key) do ipc.sleep(0.001) end
    local file <close> = assert(io.open(segment.path("memory", key), "r+b"))
    file:setvbuf("no")
    file:seek("set", 12)
    file:write(("<I4"):pack(child.pid)) -- it lives, and does not give it back
    local start = ipc.now()
    for i = 1, 100 do memory[1] = i end
    assert.is_true(ipc.now() - start < 15, ipc.now() - start)
    assert.equal(100, memory[1])
    assert.is_true(child.channel:receive(waits.PATIENCE) > 0) -- told, though late
    file:seek("set", 12)
    file:write(("<I4"):pack(0)) -- it goes on
    start = ipc.now()
    memory[1] = 5
    assert.is_true(ipc.now() - start < 4)
  end)
end)
