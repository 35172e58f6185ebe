-- SPDX-License-Identifier: MIT
-- A select that waited to send to a queue of System V and to receive from it was given its own message when there was
-- room: both cases had won, and the program was aborted.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

for _, engine in ipairs(engines) do
  describe("a select that sends to a queue and receives from it, on " .. engine.name, function()
    if engine.missing then return pending(engine.missing) end
    after_each(engine.cleanup)

    -- The cases in this order, while the queue is full of messages that the select does not want.
    local function try(turned)
      local q <close> = assert(ipc.queue(engine.key(), {capacity = 4096, codec = "raw"}))
      local send, receive = {q, "send", 1, ("s"):rep(2000)}, {q, "receive", 1}
      for _ = 1, 2 do assert(q:send(2, ("f"):rep(2000), PATIENCE)) end
      local task = waits.waiting(function()
        return ipc.select(turned and {receive = receive, send = send} or {send = send, receive = receive})
      end)
      assert(q:receive(2, PATIENCE))
      local ok, which, result = task:join(PATIENCE)
      assert.is_true(ok)
      assert.equal("send", which)
      assert.is_true(result)
      assert.equal(send[4], q:receive(1, PATIENCE))
      assert(q:receive(2, PATIENCE))
      assert.equal(0, #q)
      q:remove()
    end

    it("sends, and the message stays", function()
      for _ = 1, 10 do try(false) end
      for _ = 1, 10 do try(true) end
    end)
  end)
end
