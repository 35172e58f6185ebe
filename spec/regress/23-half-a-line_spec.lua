-- SPDX-License-Identifier: MIT
-- With framing "line", a peer that was killed in the middle of a message left half of it to be received as a whole
-- one: "12" of "123". A last line without its newline is a message where a text may end so, in a pipe or a file; a
-- socket carries messages, and there it is none.

local ipc = require "ipc"

local PATIENCE <const> = 20

describe("half a line at the end", function()
  it("is no message on a socket", function()
    local a, b = ipc.stream_channel_pair {framing = "line", codec = "raw"}
    local child <close> = assert(ipc.process {"printf", "one\\n12", stdout = b})
    b:close()
    assert.equal("one", a:receive(PATIENCE))
    assert.same({nil, "closed"}, {a:receive(PATIENCE)})
    assert.is_true(child:wait(PATIENCE))
  end)

  it("is one in a pipe, and in a file", function()
    local child <close> = assert(ipc.process {"printf", "one\\n12", stdout = "pipe"})
    assert.equal("one", child.stdout:receive(PATIENCE))
    assert.equal("12", child.stdout:receive(PATIENCE))
    assert.same({nil, "closed"}, {child.stdout:receive(PATIENCE)})
    local file <close> = io.tmpfile()
    file:write("one\n12")
    file:seek("set")
    local channel <close> = assert(ipc.stream_channel(file, {framing = "line", codec = "raw"}))
    assert.same({"one", "12"}, {channel:receive(), (channel:receive())})
    assert.same({nil, "closed"}, {channel:receive()})
  end)
end)
