-- SPDX-License-Identifier: MIT
-- A channel or a hub that was closed with unsent bytes kept its program alive for as long as the other end was open and
-- there was no reader: for ever, if that was in the program itself. And one that was not closed lost them, though send
-- had said true. The end waits now as long as some of what is unsent is taken, and for five seconds without.

local ipc = require "ipc"
local channels = require "spec.support.channels"

local PATIENCE <const> = 60
local host = os.getenv("IPCLUA") or "build/ipclua"

local head = [[
  local ipc = require "ipc"
  local large = ("x"):rep(1 << 20)
  local options = {codec = "raw"}
]]

-- What has bytes that are not taken, and is closed.
local closed = {
  ["a channel of its own"] = [[
    local a, b = ipc.stream_channel_pair(options)
    b:fileno()
    a:send(large, 0)
    a:close()
  ]],
  ["a channel to another process"] = [[
    local a, b = ipc.stream_channel_pair(options)
    local child = ipc.process(function(channel) channel:receive() end)
    b:close()
    a:send(large, 0)
    a:close()
    _G.child = child
  ]],
  ["a program's input"] = [[
    local child = assert(ipc.process{"sh", "-c", "(sleep 9; cat) >/dev/null 2>&1", stdin = "pipe"})
    child.stdin:send(large, 0)
    child.stdin:close()
    _G.child = child
  ]],
  ["a hub of many clients"] = [[
    local hub, clients = ipc.multi_stream_channel(options), {}
    for i = 1, 50 do clients[i] = assert(hub:create_client()) end
    assert(hub:send(large) == 50)
    hub:close()
    _G.clients = clients
  ]],
}

local function start(script)
  local program = {host, "-e", head .. script .. ' io.stderr:write("the end\\n")', stdout = "pipe", stderr = "pipe"}
  local child = assert(ipc.process(program))
  assert.equal("the end", child.stderr:receive(PATIENCE))
  return child
end

describe("a program that has closed what is not read", function()
  it("ends", function()
    local children = {}
    for what, script in pairs(closed) do children[what] = start(script) end
    for what, child in pairs(children) do assert.is_true(child:wait(PATIENCE), what) end
  end)

  it("can be interrupted", function()
    local child <close> = start(closed["a channel of its own"])
    assert.same({nil, "timeout"}, {child:wait(0)})
    child:signal("INT")
    assert.same({nil, "exit", 130}, {child:wait(PATIENCE)})
  end)

  for how, close in pairs{closed = "out:close()", ["not closed"] = ""} do
    it("waits for a reader that comes late: " .. how, function()
      local child <close> = start([[
        out = ipc.stream_channel(io.stdout, {framing = "line", codec = "raw"})
        assert(out:send(large, 0)) -- begun, and so the rest is promised
      ]] .. close)
      assert.equal(1 << 20, #child.stdout:receive(PATIENCE))
      assert.same({true, "exit", 0}, {child:wait(PATIENCE)})
    end)
  end
end)

-- The rest was also copied by a fork: the child sent it a second time when it closed its copy of the channel.
describe("a child of a process that has unsent bytes", function()
  after_each(channels.close)

  it("sends none of them", function()
    local a, b = channels.pair{codec = "raw"}
    local large = ("x"):rep(1 << 20)
    assert.is_true(a:send(large, 0))
    local child = assert(ipc.process(function()
      b:close()
      assert(select(2, a:send("in between", 0)) == "closed")
      a:close()
    end))
    assert.is_true(child:wait(PATIENCE))
    assert.equal(large, b:receive(PATIENCE))
    a:send("next")
    assert.equal("next", b:receive(PATIENCE))
  end)
end)
