-- SPDX-License-Identifier: MIT
-- A channel: messages whole and in order, whatever the framing, the codec and the descriptor under it. What becomes of
-- handles, of peers that die and of programs in other languages has specs of its own beside this one.

local ipc = require "ipc"
local channels = require "spec.support.channels"
local waits = require "spec.support.waits"

local EMSGSIZE <const> = 90
local PATIENCE <const> = waits.PATIENCE
local frame, pair, fifo = channels.frame, channels.pair, channels.fifo

for _, framing in ipairs {"length", "line"} do
  describe("a channel with framing " .. framing, function()
    local a, b
    before_each(function() a, b = pair {framing = framing, codec = "raw"} end)
    after_each(channels.close)

    it("carries messages of any size, whole and in order, both ways", function()
      local sizes = {0, 1, 2, 3, 4, 5, 100, 4091, 4092, 4093, 65535, 65536, 65537, 300000, 1 << 20}
      local sender = ipc.task(function()
        for i, size in ipairs(sizes) do assert(a:send(string.char(96 + i):rep(size))) end
        assert(b:send("back"))
      end)
      for i, size in ipairs(sizes) do
        local message = b:receive(PATIENCE)
        assert.equal(size, #message)
        assert.is_true(message == string.char(96 + i):rep(size))
      end
      assert.equal("back", a:receive(PATIENCE))
      assert.is_true(sender:join(PATIENCE))
    end)

    it("keeps a frame that has come in half, however often it is asked", function()
      local output, channel = fifo {framing = framing, codec = "raw"}
      local messages = {"one", "", "three"}
      for _, message in ipairs(messages) do
        local bytes = frame(framing, message)
        for i = 1, #bytes do
          assert.same({nil, "timeout"}, {channel:receive(i % 2 * 0.001)})
          output:write(bytes:sub(i, i))
        end
        assert.same({message}, {channel:receive(PATIENCE)})
      end
      local task = waits.waiting(channel.receive, channel)
      local bytes = frame(framing, "four")
      output:write(bytes:sub(1, -3))
      waits.settle()
      task:cancel()
      assert.is_false((task:join(PATIENCE)))
      output:write(bytes:sub(-2))
      assert.equal("four", channel:receive(PATIENCE))
      output:close()
      assert.same({nil, "closed"}, {channel:receive(PATIENCE)})
    end)

    it("holds a sender up whose peer does not read, and loses nothing", function()
      local text, sent = ("x"):rep(10000), 0
      local sender = ipc.task(function()
        for i = 1, 300 do
          assert(a:send(i .. text))
          sent = i
        end
      end)
      repeat ipc.yield() until sender:status() == "waiting"
      assert.is_true(sent < 300)
      assert.same({nil, "timeout"}, {a:send("too late", 0)})
      for i = 1, 300 do assert.is_true(b:receive(PATIENCE) == i .. text) end
      assert.is_true(sender:join(PATIENCE))
      assert.same({nil, "timeout"}, {b:receive(0)})
    end)

    it("sends what it says it has sent, and nothing else, when time runs out", function()
      local text, sent = ("y"):rep(50000), {}
      for i = 1, 40 do
        local ok, why = a:send(i .. text, 0.001)
        if ok then sent[#sent + 1] = i else assert.equal("timeout", why) end
      end
      assert.is_true(#sent < 40)
      a:close() -- what was begun still goes out
      for _, i in ipairs(sent) do assert.is_true(b:receive(PATIENCE) == i .. text) end
      assert.same({nil, "closed"}, {b:receive(PATIENCE)})
    end)

    it("gives each message to one of the waiters, first come first served", function()
      local first, second = waits.waiting(b.receive, b), waits.waiting(b.receive, b)
      a:send("one")
      a:send("two")
      assert.same({true, "one"}, {first:join(PATIENCE)})
      assert.same({true, "two"}, {second:join(PATIENCE)})
    end)

    it("does not mix what several tasks send", function()
      local tasks = {}
      for i = 1, 5 do
        tasks[i] = ipc.task(function()
          for _ = 1, 10 do assert(a:send(tostring(i):rep(70000))) end
        end)
      end
      local count = {}
      for _ = 1, 50 do
        local message = b:receive(PATIENCE)
        local who = message:sub(1, 1)
        assert.is_true(message == who:rep(70000))
        count[who] = (count[who] or 0) + 1
      end
      for i = 1, 5 do
        assert.is_true(tasks[i]:join(PATIENCE))
        assert.equal(10, count[tostring(i)])
      end
    end)

    it("ends messages() with the channel", function()
      for i = 1, 3 do a:send("n" .. i) end
      a:close()
      local got = {}
      for message in b:messages() do got[#got + 1] = message end
      assert.same({"n1", "n2", "n3"}, got)
      for _ in b:messages() do assert.is_true(false) end
    end)

    it("is closed one way by shutdown, and goes on the other way", function()
      a:send("last words")
      assert.is_true(a:shutdown())
      assert.is_true(a:shutdown())
      assert.same({nil, "closed"}, {a:send("more")})
      assert.equal("last words", b:receive(PATIENCE))
      assert.same({nil, "closed"}, {b:receive(PATIENCE)})
      for i = 1, 3 do assert(b:send("answer " .. i)) end
      for i = 1, 3 do assert.equal("answer " .. i, a:receive(PATIENCE)) end
      b:close()
      assert.same({nil, "closed"}, {a:receive(PATIENCE)})
    end)

    it("wakes the waiters when it is closed, at this end or the other", function()
      local reader = waits.waiting(a.receive, a)
      local writer = ipc.task(function()
        local ok, why
        repeat ok, why = a:send(("z"):rep(100000)) until not ok
        return why
      end)
      repeat ipc.yield() until writer:status() == "waiting"
      b:close()
      assert.same({true, nil, "closed"}, {reader:join(PATIENCE)})
      assert.same({true, "closed"}, {writer:join(PATIENCE)})
      local c, d = pair {framing = framing, codec = "raw"}
      local loop = waits.waiting(function() for _ in c:messages() do ipc.yield() end return "over" end)
      c:close()
      assert.same({true, "over"}, {loop:join(PATIENCE)})
      assert.same({nil, "closed"}, {d:receive(PATIENCE)})
      assert.same({nil, "closed"}, {d:send("x")})
    end)

    it("refuses a message over max_message, and sends nothing of it", function()
      local c, d = pair {framing = framing, codec = "raw", max_message = 10}
      assert.is_true(c:send(("x"):rep(10)))
      local ok, why, errno = c:send(("x"):rep(11))
      assert.same({nil, EMSGSIZE}, {ok, errno})
      assert.matches("message of 11 bytes is over this channel's limit of 10 bytes %(max_message%)", why)
      assert.is_true(c:send("after"))
      assert.equal(("x"):rep(10), d:receive(PATIENCE))
      assert.equal("after", d:receive(PATIENCE))
    end)
  end)
end

describe("the values of a channel", function()
  after_each(channels.close)

  local value = {text = "a\"b\\c\n\0é", n = 1 << 53, float = 0.1, list = {1, 2, {3}}, yes = true, no = false,
    nothing = ipc.null}

  for _, options in ipairs {{codec = "json"}, {codec = "json", framing = "line"}, {codec = "lua"}, {}} do
    local name = (options.codec or "the default codec") .. (options.framing and " in lines" or "")
    it("are what they were with " .. name, function()
      local a, b = pair(options)
      for _, sent in ipairs {value, "text", 17, -0.5, true, false, {}, ("x"):rep(100000)} do
        assert.is_true(a:send(sent))
        assert.same(sent, (b:receive(PATIENCE)))
      end
    end)
  end

  it("may have a form of your own", function()
    local upper = {encode = function(v) return v:upper() end, decode = function(s) return {s} end}
    local a, b = pair {codec = upper}
    a:send("shout")
    assert.same({"SHOUT"}, b:receive(PATIENCE))
  end)

  it("are refused at the sender when they cannot be carried, and nothing is sent", function()
    local a, b = pair()
    assert.error_matches(function() a:send {items = {1, print}} end, "message.items%[2%]")
    local c, d = pair {codec = "raw"}
    assert.error_matches(function() c:send {} end, "raw")
    local lines = pair {codec = "raw", framing = "line"}
    assert.error_matches(function() lines:send("two\nlines") end, "message has a newline")
    assert.same({nil, "timeout"}, {b:receive(0)})
    assert.same({nil, "timeout"}, {d:receive(0)})
  end)

  it("are reported when they cannot be read, and the next one comes", function()
    local output, channel = fifo {framing = "line", codec = "json"}
    output:write("{no json\n[1]\n\n2\n")
    local message, why, errno = channel:receive(PATIENCE)
    assert.same({nil, nil}, {message, errno})
    assert.matches("^cannot decode a message of this channel %(descriptor %d+%): ", why)
    assert.same({1}, channel:receive(PATIENCE))
    assert.matches("cannot decode", (select(2, channel:receive(PATIENCE)))) -- an empty line
    assert.equal(2, channel:receive(PATIENCE))
    output:close()
  end)
end)
