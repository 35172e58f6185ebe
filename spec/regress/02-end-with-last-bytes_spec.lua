-- SPDX-License-Identifier: MIT
-- A sender that closed right after its last message left the receiver waiting for ever: the end had come together
-- with the bytes, a short read was taken for an empty socket, and no further call came from the kernel.

local ipc = require "ipc"

describe("a channel whose other end sends and closes at once", function()
  it("gives the messages, then closed", function()
    for round = 1, 200 do
      local a, b = ipc.stream_channel_pair()
      local child = assert(ipc.process(function()
        b:close()
        for i = 1, round % 5 do a:send(i) end
        a:close()
      end))
      a:close()
      child.channel:close()
      local got = {}
      for message in b:messages() do got[#got + 1] = message end
      assert.equal(round % 5, #got)
      assert.same({nil, "closed"}, {b:receive(5)})
      assert.is_true(child:wait())
    end
  end)
end)
