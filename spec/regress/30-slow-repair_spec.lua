-- SPDX-License-Identifier: MIT
-- When a process had died inside a queue in shared memory, the next one put the messages in order again by inserting
-- one after the other: quick as long as they lay in memory as they came, but quadratic when old and new ones lay mixed.
-- A queue of 100,000 small messages took 43 seconds, with the latch; all others got "stands still" after five.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local segment = require "spec.support.segment"

local MESSAGES <const> = 40000
local shm = engines.shm

describe("a large queue whose messages lie mixed", function()
  after_each(shm.cleanup)

  it("is repaired before the waiters lose their patience #slow #nosan", function()
    local key = shm.key()
    local q <close> = assert(ipc.queue(key, {codec = "raw", capacity = MESSAGES * 64}))
    for i = 1, MESSAGES do assert(q:send(1, tostring(i), 0)) end
    local file = assert(io.open(segment.path("queue", key), "r+b"))
    for i = 0, MESSAGES - 1 do -- the first half of the numbers are for the even ones
      file:seek("set", 384 + i * 64 + 24)
      file:write(("<I8"):pack(i // 2 + i % 2 * MESSAGES))
    end
    file:seek("set", 12)
    file:write(("<I4"):pack(0x40000000)) -- as the kernel does when the latch's owner has died
    file:close()
    local start = ipc.now()
    assert.equal(MESSAGES, q:stat().messages)
    assert.is_true(ipc.now() - start < 5, "slow")
    segment.check("queue", key)
    for i = 1, 100 do assert.equal(tostring(2 * i - 1), q:receive(0, 0)) end
  end)
end)
