-- SPDX-License-Identifier: MIT
-- How channels end when the other end is killed, whichever byte it had come to, and when it sends what is no message.

local ipc = require "ipc"
local channels = require "spec.support.channels"
local rounds = require "spec.support.rounds"
local waits = require "spec.support.waits"

local EMSGSIZE <const>, PATIENCE <const> = 90, channels.PATIENCE
local pair, frame, printf = channels.pair, channels.frame, channels.printf

-- A program that prints these bytes and is killed then.
local function killed_after(bytes, stdout)
  return channels.keep(assert(ipc.process {
    "sh", "-c", ("printf '%s'; kill -KILL $$"):format(printf(bytes)), stdout = stdout,
  }))
end

local function all_of(channel)
  local got = {}
  while true do
    local message, why = channel:receive(PATIENCE)
    if message == nil then return got, why end
    got[#got + 1] = message
  end
end

describe("a peer that is killed", function()
  after_each(channels.close)

  for _, framing in ipairs {"length", "line"} do
    it("at any byte of a message has sent it whole or not at all: " .. framing, function()
      local whole, last = frame(framing, "[1]") .. frame(framing, '"two"'), frame(framing, '{"three":[3,33,333]}')
      for at = 0, #last do
        local ours, theirs = pair {framing = framing}
        local child = killed_after(whole .. last:sub(1, at), theirs)
        theirs:close()
        local got, why = all_of(ours)
        assert.equal("closed", why)
        assert.same({{1}, "two", at == #last and {three = {3, 33, 333}} or nil}, got)
        assert.same({nil, "signal", 9}, {child:wait(PATIENCE)})
        assert.same({nil, "closed"}, {ours:receive(0)})
        channels.close()
      end
    end)

    it("at any byte has said that much to a hub, too: " .. framing, function()
      local hub = channels.keep(ipc.multi_stream_channel {framing = framing})
      local bystander = channels.keep(hub:create_client())
      local last = frame(framing, '["a number follows",123]')
      for at = 0, #last do
        local client = hub:create_client()
        local child = killed_after(frame(framing, "1") .. last:sub(1, at), client)
        client:close()
        assert.same({1, at + 2}, {hub:receive(PATIENCE)})
        if at == #last then assert.same({{"a number follows", 123}, at + 2}, {hub:receive(PATIENCE)}) end
        child:wait(PATIENCE)
        assert.same({nil, "timeout"}, {hub:receive(0)})
        assert.same({1}, hub:clients())
      end
      assert.equal(1, hub:send("still there"))
      assert.equal("still there", bystander:receive(PATIENCE))
    end)
  end

  it("at any byte of a line of a pipe leaves a text that may end so", function()
    for at = 0, 4 do
      local child = killed_after(("one\ntwo\n"):sub(1, 4 + at), "pipe")
      local got, why = all_of(child.stdout)
      assert.same({{"one", at > 0 and ("two"):sub(1, at) or nil}, "closed"}, {got, why})
      channels.close()
    end
  end)

  it("in the middle of sending what is larger than the socket's buffer has not sent it", function()
    local ours, theirs = pair {codec = "raw"}
    local child = channels.keep(assert(ipc.process(function(channel)
      ours:close()
      theirs:send("before")
      waits.waiting(theirs.send, theirs, ("x"):rep(8 << 20))
      channel:send("half of it is out")
      channel:receive()
    end)))
    theirs:close()
    assert.equal("half of it is out", child.channel:receive(PATIENCE))
    child:signal("KILL")
    local got, why = all_of(ours)
    assert.same({{"before"}, "closed"}, {got, why})
  end)

  for _, framing in ipairs {"length", "line"} do
    it("while it sends many, some of them gathered, has sent the first of them: " .. framing, function()
      for round = 1, rounds(10) do
        local ours, theirs = pair {codec = "raw", framing = framing, buffer = 5000}
        local child = channels.keep(assert(ipc.process(function()
          ours:close()
          local n = 0
          local function next_one()
            n = n + 1
            return n .. " " .. ("x"):rep(n * 7919 % 3000)
          end
          while true do
            theirs:send(next_one())
            theirs:send_many {next_one(), next_one(), next_one()}
          end
        end)))
        theirs:close()
        local n = 0
        local function check(message)
          n = n + 1
          assert.is_true(message == n .. " " .. ("x"):rep(n * 7919 % 3000))
        end
        while n < round * 37 do check(ours:receive(PATIENCE)) end
        child:signal("KILL")
        local last
        repeat
          local list, why = ours:receive_many(100, PATIENCE)
          for _, message in ipairs(list or {}) do check(message) end
          last = why
        until not list
        assert.equal("closed", last)
        child:wait(PATIENCE)
        channels.close()
      end
    end)
  end

  it("while it is sent to ends the send, and the process goes on", function()
    local ours, theirs = pair {codec = "raw"}
    local child = channels.keep(assert(ipc.process {"sleep", "1000", stdin = theirs}))
    theirs:close()
    local sender = ipc.task(function()
      while true do
        local ok, why = ours:send(("x"):rep(100000))
        if not ok then return why end
      end
    end)
    repeat ipc.yield() until sender:status() == "waiting"
    child:signal("KILL")
    assert.same({true, "closed"}, {sender:join(PATIENCE)})
  end)
end)

describe("what is no message", function()
  after_each(channels.close)

  -- A channel that is sent these bytes, with max_message 100, by a peer that stays; and a client's of a hub.
  local function sent(framing, bytes)
    local options = {framing = framing, codec = "raw", max_message = 100}
    local ours, theirs = pair(options)
    local script = ("printf '%s'; exec cat"):format(printf(bytes))
    local child = channels.keep(assert(ipc.process {"sh", "-c", script, stdin = "pipe", stdout = theirs}))
    theirs:close()
    return ours, child
  end

  local too_long = {
    length = {"\0\0\0\101", "\0\0\1\0half", "\x7f\xff\xff\xff", ">>> HTTP/1.1 200 OK\r\n", "\xff\xff\xff\xff"},
    line = {("x"):rep(101), ("x"):rep(101) .. "\n", ("x"):rep(5000)},
  }

  for framing, all in pairs(too_long) do
    it("closes the channel, and says why: " .. framing, function()
      for _, bytes in ipairs(all) do
        local ours, child = sent(framing, frame(framing, "first") .. bytes)
        assert.equal("first", ours:receive(PATIENCE))
        local message, why, errno = ours:receive(PATIENCE)
        assert.same({nil, EMSGSIZE}, {message, errno})
        assert.matches("message of .*%d+ bytes is over this channel's limit of 100 bytes", why)
        assert.matches("max_message%), the channel is closed", why)
        assert.same({nil, "closed"}, {ours:receive(PATIENCE)})
        assert.same({nil, "closed"}, {ours:send("x", PATIENCE)})
        child.stdin:send("it is told by a SIGPIPE")
        assert.same({nil, "signal", 13}, {child:wait(PATIENCE)})
        channels.close()
      end
    end)
  end

  it("costs no memory that its bytes do not pay for #nosan", function()
    local function resident()
      local file <close> = assert(io.open("/proc/self/statm"))
      return select(2, file:read("n", "n")) * 4096
    end
    local before, list = resident(), {}
    for i = 1, 20 do
      local ours, theirs = pair {codec = "raw", max_message = 1 << 30}
      list[i] = ours
      channels.keep(assert(ipc.process {"printf", printf("\x3f\xff\xff\xffhello"), stdout = theirs}))
      assert.same({nil, "timeout"}, {ours:receive(0)})
      theirs:close()
    end
    for _, ours in ipairs(list) do assert.same({nil, "closed"}, {ours:receive(PATIENCE)}) end
    assert.is_true(resident() - before < 1 << 26) -- 20 times a gigabyte was announced
  end)

  it("is the affair of one client of a hub, and of no other", function()
    local hub = channels.keep(ipc.multi_stream_channel {codec = "raw", max_message = 100})
    local good = channels.keep(hub:create_client())
    for _, bytes in ipairs(too_long.length) do
      local bad = hub:create_client()
      channels.keep(assert(ipc.process {"printf", printf(bytes), stdout = bad}))
      bad:close()
      local message, why, errno, client = hub:receive(PATIENCE)
      assert.same({nil, EMSGSIZE}, {message, errno})
      assert.matches(("client %d sent what is no message of up to 100 bytes"):format(client), why)
      assert.same({1}, hub:clients())
      good:send("hello")
      assert.same({"hello", 1}, {hub:receive(PATIENCE)})
    end
  end)
end)
