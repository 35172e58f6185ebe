-- SPDX-License-Identifier: MIT
-- A send that had to wait with half of its message out said true when the other end closed or died: the rest could no
-- longer be sent, and was dropped.

local ipc = require "ipc"

local ends = {}

function ends.socket()
  return ipc.stream_channel_pair{codec = "raw"}
end

function ends.fifo()
  local path, options = os.tmpname(), {codec = "raw", framing = "line"}
  assert(os.execute(("rm %s; mkfifo %s"):format(path, path)))
  local file = assert(io.open(path, "r+")) -- opens without waiting for the other end
  local input, output = assert(io.open(path, "r")), assert(io.open(path, "w"))
  local a, b = assert(ipc.stream_channel(output, options)), assert(ipc.stream_channel(input, options))
  for _, open in ipairs{file, input, output} do open:close() end -- a channel has a descriptor of its own
  os.remove(path)
  return a, b
end

describe("a message of which half is sent", function()
  for name, open in pairs(ends) do
    it("is not sent when the other end closes: " .. name, function()
      local a, b = open()
      local sender = ipc.task(function() return a:send(("x"):rep(4000000)) end)
      local behind = ipc.task(function() return a:send("behind") end)
      while behind:status() ~= "waiting" do ipc.yield() end
      b:close()
      assert.same({true, nil, "closed"}, {sender:join(10)})
      assert.same({true, nil, "closed"}, {behind:join(10)})
      a:close()
    end)
  end
end)
