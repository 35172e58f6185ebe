-- SPDX-License-Identifier: MIT
-- When a process had died inside a queue in shared memory, the next one put the messages in order again by inserting
-- one after the other: quick as long as they lay in memory as they came, but quadratic when old and new ones lay mixed.
-- A queue of 100,000 small messages took 43 seconds, with the latch; all others got "stands still" after five.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local segment = require "spec.support.segment"

local MESSAGES <const> = 40000
local PLACE <const> = 16 -- where a record has its place in the order
local shm = engines.shm

describe("a large queue whose messages lie mixed", function()
  after_each(shm.cleanup)

  it("is repaired before the waiters lose their patience #slow #nosan", function()
    local key = shm.key()
    local q <close> = assert(ipc.queue(key, {codec = "raw", capacity = MESSAGES * 64}))
    for i = 1, MESSAGES do assert(q:send(1, tostring(i), 0)) end
    local messages, half = segment.messages(segment.read("queue", key)), MESSAGES // 2
    local first = messages[1].extent.place
    local file = assert(io.open(segment.path("queue", key), "r+b"))
    for i, message in ipairs(messages) do -- those at even places in memory come first, then the others
      file:seek("set", message.extent.where - 1 + PLACE)
      file:write(("<I8"):pack(first + (i - 1) // 2 + (i - 1) % 2 * half))
    end
    for _, latch in ipairs(segment.LATCHES) do
      file:seek("set", latch)
      file:write(("<I4"):pack(0x40000000)) -- as the kernel does when the latch's owner has died
    end
    file:close()
    local start = ipc.now()
    assert.equal(MESSAGES, q:stat().messages)
    assert.is_true(ipc.now() - start < 5, "slow")
    segment.check("queue", key)
    for i = 1, 100 do assert.equal(tostring(2 * i - 1), q:receive(0, 0)) end
  end)
end)
