-- SPDX-License-Identifier: MIT
-- A select that waited to send to a queue of System V and to receive from it was given its own message when there was
-- room; and one with two messages for a queue sent the second, when it had been won by a case that stood between them.
-- Both times two cases had won, and the program was aborted.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

for _, engine in ipairs(engines.of(ipc.queue)) do
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

    it("completes one case, with two messages for the queue", function()
      local q <close> = assert(ipc.queue(engine.key(), {capacity = 4096, codec = "raw"}))
      local a, b = ipc.stream_channel_pair()
      for _, size in ipairs{1090, 3000} do assert(q:send(1, ("f"):rep(size), PATIENCE)) end
      local task = ipc.task(ipc.select, {{q, "send", 2, ("s"):rep(2000)}, b, {q, "send", 2, ("s"):rep(500)}})
      for _ = 1, 10 do ipc.yield() end -- until a thread waits for room for the first
      assert(q:receive(1, PATIENCE)) -- room for the second, not for the first
      assert(a:send("won"))
      local ok, which = task:join(PATIENCE)
      assert.is_true(ok)
      assert.equal(which == 2 and 1 or 2, #q)
      q:remove()
    end)
  end)
end
