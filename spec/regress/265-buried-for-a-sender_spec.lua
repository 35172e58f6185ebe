-- SPDX-License-Identifier: MIT
-- A queue was full of jobs that were taken, and a process waited to send. A job died then. Its room was the sender's,
-- since dead letters never keep a queue full; but no process was told of it, and the sender waited for a receive that
-- did not come.

local ipc = require "ipc"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

describe("a dead letter", function()
  it("gives its room to a send that waits", function()
    local q <close> = assert(ipc.queue(ipc.private, {codec = "raw", capacity = 1000, attempts = 1}))
    local text = ("x"):rep(500)
    q:send(1, text)
    q:send(1, text)
    for _, word in ipairs{"bury", "retry"} do
      local first, second = q:take(), q:take()
      local sender = waits.waiting(function() return q:send(2, text, PATIENCE) end)
      first[word](first)
      assert.same({true, true}, {sender:join(PATIENCE)})
      assert.equal(0, q:stat().dead)
      second:release()
    end
  end)
end)
