-- SPDX-License-Identifier: MIT
-- When the rest of a message that was half sent could not be sent, since the other end was closed, the channel took
-- that for the end of what it receives, too: what the other end had said before was lost.

local ipc = require "ipc"
local waits = require "spec.support.waits"

describe("a channel that could send only half of a message", function()
  it("still receives what the other end sent before it was closed", function()
    local a, b = ipc.stream_channel_pair {codec = "raw"}
    assert(b:send("one"))
    assert(b:send("two"))
    local sender = waits.waiting(a.send, a, ("x"):rep(4000000))
    b:close()
    assert.same({true, nil, "closed"}, {sender:join(waits.PATIENCE)})
    assert.equal("one", a:receive(waits.PATIENCE))
    assert.equal("two", a:receive(waits.PATIENCE))
    assert.same({nil, "closed"}, {a:receive(waits.PATIENCE)})
    a:close()
  end)
end)
