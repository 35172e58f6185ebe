-- SPDX-License-Identifier: MIT
-- A client of a hub that asked something and said that it would say no more (shutdown, or `nc -N`) was sent away
-- at once, and never got its answer: the end of what it sends was taken for its end.

local ipc = require "ipc"

local PATIENCE <const> = 20

describe("a client that has shut down its sending", function()
  local hub
  before_each(function() hub = ipc.multi_stream_channel() end)
  after_each(function() hub:close() end)

  it("is still sent to, one by one and with all", function()
    local client <close> = hub:create_client()
    client:send("question")
    client:shutdown()
    assert.same({"question", 1}, {hub:receive(PATIENCE)})
    assert.same({nil, "timeout"}, {hub:receive(0)})
    assert.same({1}, hub:clients())
    assert.is_true(hub:send("answer", 1))
    assert.equal(1, hub:send("news"))
    assert.equal("answer", client:receive(PATIENCE))
    assert.equal("news", client:receive(PATIENCE))
  end)

  it("is gone when it closes, whether it was waited for or not", function()
    local first, second = hub:create_client(), hub:create_client()
    first:shutdown()
    second:shutdown()
    assert.same({nil, "timeout"}, {hub:receive(0)})
    first:close()
    local t = ipc.task(function() return hub:receive() end)
    repeat ipc.yield() until t:status() == "waiting"
    second:close()
    while #hub:clients() > 0 do ipc.yield() end
    assert.equal(0, hub:send("nobody"))
    hub:close()
    assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
  end)
end)
