-- SPDX-License-Identifier: MIT
-- Programs that wanted to join a hub when it had no descriptor left were asked in only when one of its clients
-- left, or another program came. A descriptor that became free in any other way has no event: they waited for
-- ever.

local script = [[
  local ipc = require "ipc"
  local path = arg[1]
  local hub = ipc.multi_stream_channel {codec = "raw"}
  assert(hub:listen(path))
  local files = {}
  repeat files[#files + 1] = io.open("/dev/null") until not io.open("/dev/null")
  table.remove(files):close()
  local client = assert(ipc.connect(path, {codec = "raw"})) -- that was the last one
  client:send("hello")
  print(hub:receive(0.2))
  table.remove(files):close()
  print(hub:receive(20))
]]

describe("a hub without a descriptor for a new client", function()
  it("asks them in when there is one again", function()
    local name, socket = os.tmpname(), os.tmpname()
    os.remove(socket)
    local file <close> = assert(io.open(name, "w"))
    file:write(script)
    file:flush()
    finally(function()
      os.remove(name)
      os.remove(socket)
    end)
    local host = os.getenv("IPCLUA") or "build/ipclua"
    local pipe = assert(io.popen(("ulimit -n 40; exec timeout 60 %s %s %s 2>&1"):format(host, name, socket)))
    assert.equal("nil\ttimeout\nhello\t1\n", pipe:read("a"))
    assert.is_true(pipe:close())
  end)
end)
