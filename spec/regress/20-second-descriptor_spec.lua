-- SPDX-License-Identifier: MIT
-- A peer that sent two descriptors with one message left the second one open here, for ever and without an owner: the
-- room for one, as CMSG_SPACE counts it, has padding, and the kernel put another one there. A client could use up
-- all of a hub's.

local ipc = require "ipc"
local channels = require "spec.support.channels"
local waits = require "spec.support.waits"

local PATIENCE <const> = 20

describe("descriptors that were not asked for", function()
  it("are closed, however many come with a message", function()
    local a, b = ipc.stream_channel_pair {codec = "raw"}
    local python <close> = assert(ipc.process {"/usr/bin/python3", "-c", [[
import socket
s = socket.socket(fileno=0)
for i in range(20):
    socket.send_fds(s, [b"\0\0\0\2hi"], [0, 1, 2])
]], stdin = b})
    b:close()
    waits.collect()
    local before, got = channels.descriptors(), 0
    for message in function() return a:receive(PATIENCE) end do
      assert.equal("hi", message)
      got = got + 1
    end
    assert.equal(20, got)
    assert.same({true, "exit", 0}, {python:wait(PATIENCE)})
    a:close()
    assert.equal(before - 2, channels.descriptors()) -- the channel, and the process
  end)
end)
