-- SPDX-License-Identifier: MIT
-- Forked processes and the channels between them.

local ipc = require "ipc"
local shell = require "spec.support.shell"

-- How many there are, and what they are.
local function descriptors()
  local pipe = assert(io.popen("cd /proc/" .. shell.pid() .. "/fd; for fd in *; do readlink $fd; done"))
  local text = pipe:read("a")
  pipe:close()
  return select(2, text:gsub("\n", "\n")), text
end

describe("a process", function()
  it("runs a function with a channel to its parent", function()
    local child <close> = ipc.process(function(channel, factor)
      for message in channel:messages() do channel:send(message * factor) end
    end, 3)
    child.channel:send(14)
    assert.equal(42, child.channel:receive(5))
    child.channel:close()
    assert.same({true, "exit", 0}, {child:wait()})
    assert.same({nil, ("process %d has ended: No such process"):format(child.pid), 3}, {child:signal("TERM")})
  end)

  it("tells how it ended", function()
    assert.same({nil, "exit", 7}, {ipc.process(function() os.exit(7) end):wait()})
    local child = ipc.process(function() ipc.sleep(100) end)
    assert.same({nil, "timeout"}, {child:wait(0.001)})
    child:signal("KILL")
    assert.same({nil, "signal", 9}, {child:wait()})
  end)

  it("starts with nothing of its parent's loop", function()
    local fired = 0
    local timer = ipc.timer(0.001, function() fired = fired + 1 end)
    local trap <close> = ipc.signal_trap("USR1")
    local other = ipc.task(ipc.sleep, 100)
    local t = ipc.task(function()
      local child <close> = ipc.process(function(channel)
        local file = io.open("/proc/self/status")
        local status = file:read("a")
        file:close()
        channel:send{
          tasks = #ipc.tasks(), stats = ipc.stats(), current = ipc.current() == nil,
          blocked = status:match("SigBlk:%s+(%x+)"), caught = status:match("SigCgt:%s+(%x+)"),
        }
      end)
      return child.channel:receive(5)
    end)
    local _, got = t:join()
    assert.equal(0, got.tasks)
    assert.equal(0, got.stats.timers)
    assert.is_true(got.current)
    assert.equal(0, tonumber(got.blocked, 16))
    assert.equal(0, tonumber(got.caught, 16) & (1 << 9))
    local before = fired
    local deadline = ipc.now() + 5
    while fired == before and ipc.now() < deadline do ipc.yield() end
    assert.is_true(fired > before)
    timer:stop()
    other:close()
    assert.is_false(trap:trapped())
  end)

  it("sees the end of a parent that was killed", function()
    local report, inner = ipc.stream_channel_pair()
    local parent = ipc.process(function(channel)
      ipc.process(function(mine)
        local _, why = mine:receive(10)
        inner:send(why)
      end)
      channel:send("ready")
      ipc.sleep(100)
    end)
    inner:close()
    assert.equal("ready", parent.channel:receive(5))
    parent:signal("KILL")
    assert.equal("closed", report:receive(10))
    parent:wait()
  end)

  it("leaves no descriptor and no zombie behind", function()
    collectgarbage() -- what finalisers of the first round let go of goes in the second
    collectgarbage()
    local before, were = descriptors()
    for _ = 1, 10 do
      local children = {}
      for i = 1, 20 do children[i] = assert(ipc.process(function(channel) channel:send(1) end)) end
      for _, child in ipairs(children) do
        assert.equal(1, child.channel:receive(5))
        assert.is_true(child:wait(5))
        child.channel:close()
      end
    end
    local after, are = descriptors() -- fewer, when an earlier spec's channel had bytes left to write
    assert.is_true(after <= before, were .. "and then\n" .. are)
    local file = assert(io.open(("/proc/%d/task/%d/children"):format(shell.pid(), shell.pid())))
    assert.equal("", file:read("a"))
    file:close()
  end)
end)

describe("a channel", function()
  it("carries every value of JSON exactly", function()
    local a, b = ipc.stream_channel_pair()
    local values = {
      0, -1, 42, math.maxinteger, math.mininteger, 2^53, 2^53 + 2, (1 << 53) + 1, 0.1, 1 / 3, 5e-324,
      1.7976931348623157e308, -2.5, "", "a\0b", "ä€", "\"\\\1", true, false, ipc.null,
    }
    for _, value in ipairs(values) do
      assert(a:send(value))
      local got = b:receive(1)
      assert.equal(value, got)
      if math.type(value) == "integer" then assert.equal("integer", math.type(got)) end
    end
    local nested = {list = {1, 2.5, "x", {y = {math.maxinteger, 0.1}}}, ["key"] = false}
    assert(a:send(nested))
    assert.same(nested, b:receive(1))
    for _, value in ipairs{print, 0 / 0, math.huge, {f = print}} do
      assert.has_error(function() a:send(value) end)
    end
  end)

  it("carries random numbers exactly", function()
    local seed = os.time()
    math.randomseed(seed)
    local a, b = ipc.stream_channel_pair()
    for round = 1, 20000 do
      local value = math.random(0) >> math.random(0, 63)
      if round % 2 == 0 then
        value = string.unpack("d", string.pack("j", math.random(0)))
        if value ~= value or value == math.huge or value == -math.huge then value = round + 0.5 end
      end
      a:send({v = value})
      local got = b:receive(1).v
      if got ~= value then error(("%.17g came as %.17g, seed %d"):format(value, got, seed)) end
    end
  end)

  it("makes a sender wait for a receiver that is behind, and keeps big messages whole", function()
    local a, b = ipc.stream_channel_pair{codec = "raw"}
    local big = ("0123456789"):rep(300000)
    local sender = ipc.task(function()
      for i = 1, 4 do assert(a:send(i .. big)) end
    end)
    ipc.yield()
    assert.equal("waiting", sender:status())
    for i = 1, 4 do assert.is_true(b:receive(5) == i .. big) end
    assert.is_true(sender:join())
  end)

  it("keeps its frames whole when a sender gives up", function()
    local a, b = ipc.stream_channel_pair{codec = "raw"}
    local big, sent, gave_up = ("x"):rep(100000), 0, 0
    for _ = 1, 20 do
      local ok, why = a:send(big, 0.001)
      if ok then sent = sent + 1 else
        assert.equal("timeout", why)
        gave_up = gave_up + 1
      end
    end
    assert.is_true(gave_up > 0)
    for _ = 1, sent do assert.equal(#big, #b:receive(5)) end
    assert.same({nil, "timeout"}, {b:receive(0.001)})
    assert(a:send("last"))
    assert.equal("last", b:receive(5))
  end)

  it("delivers what was sent before it was closed", function()
    local a, b = ipc.stream_channel_pair{codec = "raw"}
    local big = ("x"):rep(1000000)
    local child = ipc.process(function()
      b:close()
      a:send(big, 0.01)
      a:close()
    end)
    a:close()
    assert.equal(#big, #(b:receive(5)))
    assert.same({nil, "closed"}, {b:receive(5)})
    assert.is_true(child:wait(5))
  end)

  it("says what is over the limit", function()
    local a = ipc.stream_channel_pair{codec = "raw", max_message = 10}
    local ok, why = a:send(("x"):rep(11))
    assert.is_nil(ok)
    assert.matches("message of 11 bytes is over this channel's limit of 10 bytes", why)
    assert.is_true(a:send(("x"):rep(10)))
  end)

  it("skips a message that cannot be decoded", function()
    local codec = {encode = function(s) return s end, decode = function(s)
      if s == "bad" then error("no such thing") end
      return s
    end}
    local a, b = ipc.stream_channel_pair{codec = codec}
    a:send("bad")
    a:send("good")
    local value, why = b:receive(1)
    assert.is_nil(value)
    assert.matches("no such thing", why)
    assert.equal("good", b:receive(1))
  end)

  it("wakes the waiters when it is closed", function()
    local _, b = ipc.stream_channel_pair()
    local t = ipc.task(function() return b:receive() end)
    ipc.yield()
    b:close()
    assert.same({true, nil, "closed"}, {t:join()})
    assert.error_matches(function() b:receive() end, "channel is closed")
    assert.matches("closed", tostring(b))
  end)
end)
