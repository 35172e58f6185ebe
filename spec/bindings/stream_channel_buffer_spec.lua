-- SPDX-License-Identifier: MIT
-- A channel with a buffer: what is sent is gathered, and written when the sender waits, when the buffer is full, by
-- flush, and before the program forks or ends. receive(0) does not wait, so it shows what has been written.

local ipc = require "ipc"
local channels = require "spec.support.channels"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local pair = channels.pair

-- What a program of these lines has sent to the channel `out` when it has ended, one way or the other.
local function sent_by(body)
  local ours, theirs = pair {codec = "raw", framing = "line"}
  local script = ([[
    local ipc = require "ipc"
    local out = ipc.stream_channel(1, {codec = "raw", framing = "line", buffer = 1000})
    %s]]):format(body)
  local child = channels.keep(assert(ipc.process {os.getenv("IPCLUA"), "-e", script, stdout = theirs, stderr = false}))
  theirs:close()
  local list = {}
  for message in ours:messages() do list[#list + 1] = message end
  child:wait(PATIENCE)
  return table.concat(list, " ")
end

for _, framing in ipairs {"length", "line"} do
  describe("a channel with a buffer, framing " .. framing, function()
    after_each(channels.close)

    local function buffered(bytes) return pair {framing = framing, codec = "raw", buffer = bytes} end

    it("writes when the sender waits, and not before", function()
      local a, b = buffered(1000)
      local unwritten = 0 -- after every so many calls the program looks for what else there is, and that is a wait
      for i = 1, 100 do
        assert.is_true(a:send("message " .. i))
        local message = b:receive(0)
        if not message then
          unwritten = unwritten + 1
          ipc.sleep(0)
          message = b:receive(0)
        end
        assert.equal("message " .. i, message)
      end
      assert.is_true(unwritten > 50)
      local task = ipc.task(function() assert(a:send("of a task")) end)
      assert.is_true(task:join(PATIENCE))
      assert.equal("of a task", b:receive(PATIENCE))
    end)

    it("writes by flush", function()
      local a, b = buffered(1000)
      assert.is_true(a:flush())
      assert.is_true(a:send(""))
      assert.is_true(a:send("second"))
      assert.is_true(a:flush(0))
      assert.equal("", b:receive(0))
      assert.equal("second", b:receive(0))
      a:send("third")
      assert.same({1, true}, {ipc.select {{a, "flush"}}})
      assert.equal("third", b:receive(0))
    end)

    it("writes when the buffer is full", function()
      local a, b = buffered(100)
      for i = 11, 50 do assert(a:send(tostring(i):rep(15))) end -- that is room for three of them
      for i = 11, 47 do assert.equal(tostring(i):rep(15), b:receive(0)) end
      for i = 48, 50 do assert.equal(tostring(i):rep(15), b:receive(PATIENCE)) end
    end)

    it("keeps the order, whatever the sizes", function()
      for _, bytes in ipairs {1, 10, 1000, 70000, 1 << 20} do
        local a, b = buffered(bytes)
        local sizes = {0, 1, 2, 5, 6, 9, 10, 11, 500, 995, 996, 997, 1000, 69995, 69996, 70000, 300000, 3, 1 << 20}
        local sender = ipc.task(function()
          for round = 1, 3 do
            for i, size in ipairs(sizes) do assert(a:send(string.char(96 + i + round):rep(size))) end
          end
        end)
        for round = 1, 3 do
          for i, size in ipairs(sizes) do
            assert.is_true(b:receive(PATIENCE) == string.char(96 + i + round):rep(size))
          end
        end
        assert.is_true(sender:join(PATIENCE))
        channels.close()
      end
    end)

    it("holds a sender up whose peer does not read", function()
      local a, b = buffered(10000)
      local text, sent = ("x"):rep(999), 0
      while a:send(text, 0) do sent = sent + 1 end
      assert.same({nil, "timeout"}, {a:send(text, 0.001)})
      assert.same({nil, "timeout"}, {a:flush(0)})
      local sender = waits.waiting(a.send, a, ("y"):rep(999))
      local flush = waits.waiting(a.flush, a)
      for _ = 1, sent do assert.is_true(b:receive(PATIENCE) == text) end
      assert.equal(("y"):rep(999), b:receive(PATIENCE))
      assert.same({true, true}, {sender:join(PATIENCE)})
      assert.same({true, true}, {flush:join(PATIENCE)})
    end)

    it("tells what went wrong by the next call", function()
      local a, b = buffered(1000)
      b:send("said before the end")
      b:close()
      assert.is_true(a:send("lost"))
      assert.same({nil, "closed"}, {a:flush()})
      assert.same({nil, "closed"}, {a:send("lost, too")})
      assert.same({nil, "closed"}, {a:flush()})
      assert.equal("said before the end", a:receive(PATIENCE))
      assert.same({nil, "closed"}, {a:receive(PATIENCE)})
    end)

    it("writes before it is closed, and before its sending is shut down", function()
      local a, b = buffered(1000)
      a:send("one")
      assert.is_true(a:shutdown())
      assert.same({"one", nil, "closed"}, {b:receive(PATIENCE), b:receive(PATIENCE)})
      b:send("two")
      b:close()
      assert.same({"two", nil, "closed"}, {a:receive(PATIENCE), a:receive(PATIENCE)})
    end)

    it("says once what it has gathered when the process forks", function()
      local a, b = buffered(1000)
      a:send("before")
      local child = channels.keep(assert(ipc.process(function()
        a:send("in the child")
      end)))
      assert.same({true, "exit", 0}, {child:wait(PATIENCE)})
      a:send("after")
      a:close()
      local list = {}
      for message in b:messages() do list[#list + 1] = message end
      assert.same({"before", "in the child", "after"}, list)
    end)

    it("loses the last messages of a process that is killed, and never half of one", function()
      for last = 1, 30 do
        local a, b = buffered(64)
        local child = channels.keep(assert(ipc.process(function(channel)
          b:close()
          for i = 1, last do a:send(("%05d"):format(i)) end
          os.execute("kill -KILL " .. ipc.pid())
          channel:receive()
        end)))
        a:close()
        local count = 0
        for message in b:messages() do
          count = count + 1
          assert.equal(count, tonumber(message))
        end
        local together = 64 // (framing == "line" and 6 or 9)
        assert.is_true(count >= last - together and count <= last)
        assert.same({nil, "signal", 9}, {child:wait(PATIENCE)})
        channels.close()
      end
    end)
  end)
end

describe("what a program has gathered", function()
  after_each(channels.close)

  it("is written when it ends", function()
    assert.equal("one two", sent_by [[out:send("one") out:send("two")]])
  end)

  it("is written when a task is the last that runs", function()
    assert.equal("one", sent_by [[ipc.task(function() ipc.sleep(0) out:send("one") end)]])
  end)

  it("is written when an error ends it", function()
    assert.equal("one", sent_by [[out:send("one") error("with this")]])
  end)

  it("is written when it calls os.exit", function()
    assert.equal("one", sent_by [[out:send("one") os.exit(0)]])
    assert.equal("two", sent_by [[ipc.task(function() out:send("two") os.exit(1) end) ipc.sleep(10)]])
    assert.equal("three", sent_by [[ipc.process(function() out:send("three") os.exit(0) end):wait()]])
    assert.equal("four", sent_by [[ipc.process(function() out:send("four") error("x") end):wait()]])
  end)

  it("is written before a program is started that shares its descriptor", function()
    local program = [[
      local ipc = require "ipc"
      local shared = ipc.stream_channel(io.stdout, {codec = "raw", framing = "line", buffer = 99})
      shared:send("one")
      ipc.process {"echo", "two"}:wait()
      shared:send("three")]]
    local ours, theirs = pair {codec = "raw", framing = "line"}
    local child = channels.keep(assert(ipc.process {os.getenv("IPCLUA"), "-e", program, stdout = theirs}))
    theirs:close()
    for _, expected in ipairs {"one", "two", "three"} do assert.equal(expected, ours:receive(PATIENCE)) end
    child:wait(PATIENCE)
  end)

  it("is written when a callback has sent it that interrupts busy code #busy", function()
    local ours, theirs = pair {buffer = 1000}
    local child = channels.keep(assert(ipc.process(function()
      ours:close()
      local _ <const> = ipc.after(0.001, function() theirs:send("from a callback") end)
      while true do end
    end)))
    theirs:close()
    assert.equal("from a callback", ours:receive(PATIENCE))
    child:signal("KILL")
  end)

  it("is written by a step of a loop inside another", function()
    local a, b = pair {buffer = 1000}
    ipc.task(function() a:send("one") end)
    ipc.step(0)
    assert.equal("one", b:receive(0))
    local _ <const> = ipc.after(0, function() a:send("two") end)
    repeat ipc.step(0) until b:receive(0)
  end)
end)

describe("the buffer of a channel", function()
  after_each(channels.close)

  it("is a number of bytes", function()
    assert.error_matches(function() pair {buffer = -1} end, "buffer must be from 0 to %d+ bytes, got %-1")
    assert.error_matches(function() pair {buffer = "much"} end, "buffer must be")
    local a, b = pair {buffer = 0}
    a:send("at once")
    assert.equal("at once", b:receive(0))
    assert.is_true(a:flush())
  end)

  it("is ahead of a handle, and of many tasks' messages", function()
    local a, b = pair {buffer = 1000, codec = "raw"}
    local x, y = pair()
    a:send("before")
    a:send_handle(x)
    a:send("after")
    assert.equal("before", b:receive(PATIENCE))
    b:receive_handle(PATIENCE):send("through the handle")
    assert.equal("through the handle", y:receive(PATIENCE))
    assert.equal("after", b:receive(PATIENCE))
    for i = 1, 100 do ipc.task(function() for k = 1, 10 do a:send(i .. " " .. k) end end) end
    local seen = {}
    for _ = 1, 1000 do
      local i, k = b:receive(PATIENCE):match("(%d+) (%d+)")
      assert.equal((seen[i] or 0) + 1, tonumber(k))
      seen[i] = tonumber(k)
    end
  end)

  it("is written before the channel itself is sent away", function()
    local a, b = pair {buffer = 1000}
    local x, y = pair {buffer = 1000}
    x:send("one")
    assert.is_true(a:send_handle(x))
    x:close()
    b:receive_handle(PATIENCE):send("two")
    assert.same({"one", "two"}, {y:receive(PATIENCE), y:receive(PATIENCE)})
  end)

  it("says what a file does not take", function()
    local file = assert(io.open("/dev/full", "w"))
    local full = channels.keep(assert(ipc.stream_channel(file, {framing = "line", buffer = 1000})))
    assert.is_true(full:send("one"))
    local ok, _, errno = full:flush()
    assert.same({nil, 28}, {ok, errno})
    file:close()
  end)
end)
