-- SPDX-License-Identifier: MIT
-- Of several handles sent one right after the other, only the first came while a task waited for it; a task that asked
-- for the next one waited for ever. A read ends behind a descriptor, however much there is after it, and a short read
-- was taken for an empty socket.

local channels = require "spec.support.channels"
local waits = require "spec.support.waits"

describe("handles that are sent one right after the other", function()
  after_each(channels.close)

  it("all arrive, and the messages behind them", function()
    local a, b = channels.pair()
    local travels = channels.pair()
    local first = waits.waiting(b.receive_handle, b)
    for _ = 1, 3 do assert.is_true(a:send_handle(travels)) end
    a:send("a message")
    local ok, handle = first:join(channels.PATIENCE)
    assert.is_true(ok)
    channels.keep(handle)
    for _ = 1, 2 do channels.keep(assert(b:receive_handle(channels.PATIENCE))) end
    assert.equal("a message", b:receive(channels.PATIENCE))
  end)
end)
