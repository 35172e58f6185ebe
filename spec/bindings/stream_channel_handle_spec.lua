-- SPDX-License-Identifier: MIT
-- Handles that travel: channels and files that one process opened and another one uses, and what a peer may send in
-- their place.

local ipc = require "ipc"
local channels = require "spec.support.channels"
local waits = require "spec.support.waits"

local EPROTO <const>, EOPNOTSUPP <const>, PATIENCE <const> = 71, 95, channels.PATIENCE
local pair, keep = channels.pair, channels.keep

local function child(fn, ...) return keep(assert(ipc.process(fn, ...))) end

describe("a channel that is sent over a channel", function()
  after_each(channels.close)

  it("works in a third process after the first has closed it", function()
    local first = child(function(channel) -- makes a pair, and gives one end away
      local ours, theirs = ipc.stream_channel_pair()
      assert(channel:send_handle(theirs))
      theirs:close()
      ours:send("hello, whoever you are")
      channel:send {heard = ours:receive()}
    end)
    local third = child(function(channel)
      local got = channel:receive_handle()
      channel:send {heard = got:receive()}
      got:send("the third")
      channel:send {after = {got:receive()}} -- the first has ended
    end)
    local passing = assert(first.channel:receive_handle(PATIENCE))
    assert.is_true(third.channel:send_handle(passing))
    passing:close()
    assert.same({heard = "hello, whoever you are"}, third.channel:receive(PATIENCE))
    assert.same({heard = "the third"}, first.channel:receive(PATIENCE))
    assert.same({after = {ipc.null, "closed"}}, third.channel:receive(PATIENCE))
    assert.same({true, "exit", 0}, {first:wait(PATIENCE)})
    assert.same({true, "exit", 0}, {third:wait(PATIENCE)})
  end)

  it("keeps its codec, its framing and its limit", function()
    local a, b = pair()
    for _, options in ipairs {{codec = "lua"}, {codec = "raw", framing = "line"}, {codec = "json", max_message = 99}} do
      local ours, theirs = pair(options)
      assert.is_true(a:send_handle(theirs))
      theirs:close()
      local got = keep(assert(b:receive_handle(PATIENCE)))
      assert.is_true(ours:send("there"))
      assert.is_true(got:send("back"))
      assert.equal("there", got:receive(PATIENCE))
      assert.equal("back", ours:receive(PATIENCE))
      local _, why = got:send(("x"):rep(options.max_message or 0))
      assert.equal(options.max_message and true, why and why:find("limit of 99 bytes", 1, true) and true)
    end
  end)

  it("comes in order with the messages, and each call says when the other one is next", function()
    local a, b = pair()
    local travels = pair()
    a:send("one")
    a:send_handle(travels)
    a:send("two")
    local none, why, errno = b:receive_handle(PATIENCE)
    assert.same({nil, EPROTO}, {none, errno})
    assert.matches("a message is next, not a handle: use receive", why)
    assert.equal("one", b:receive(PATIENCE))
    none, why, errno = b:receive(PATIENCE)
    assert.same({nil, EPROTO}, {none, errno})
    assert.matches("a handle is next: use receive_handle", why)
    assert.matches("ipc.StreamChannel %(descriptor", tostring(keep(b:receive_handle(PATIENCE))))
    assert.equal("two", b:receive(PATIENCE))
  end)

  it("is waited for, with a timeout, in a select, and closed with the channel", function()
    local a, b = pair()
    local travels = pair()
    assert.same({nil, "timeout"}, {b:receive_handle(0)})
    assert.same({nil, "timeout"}, {b:receive_handle(0.001)})
    local task = waits.waiting(function() return ipc.select({{b, "receive_handle"}}, PATIENCE) end)
    a:send_handle(travels)
    local ok, which, got = task:join(PATIENCE)
    assert.same({true, 1}, {ok, which})
    keep(got)
    local other = waits.waiting(b.receive_handle, b)
    a:close()
    assert.same({true, nil, "closed"}, {other:join(PATIENCE)})
  end)

  it("is held back while the other end does not read, and arrives all the same", function()
    local a, b = pair {codec = "raw"}
    local ours, theirs = pair()
    local filler = ipc.task(function()
      for _ = 1, 100 do assert(a:send(("x"):rep(10000))) end
      assert(a:send_handle(theirs))
      theirs:close()
    end)
    repeat ipc.yield() until filler:status() == "waiting"
    for _ = 1, 100 do assert.equal(10000, #b:receive(PATIENCE)) end
    local got = keep(assert(b:receive_handle(PATIENCE)))
    assert.is_true(filler:join(PATIENCE))
    ours:send("through")
    assert.equal("through", got:receive(PATIENCE))
  end)

  it("may be this very channel, or the client of a hub", function()
    local a, b = pair()
    a:send_handle(a)
    local again = keep(assert(b:receive_handle(PATIENCE)))
    again:send("the same")
    assert.equal("the same", b:receive(PATIENCE))
    local hub = keep(ipc.multi_stream_channel())
    local client = hub:create_client()
    a:send_handle(client)
    client:close()
    keep(b:receive_handle(PATIENCE)):send("from afar")
    assert.same({"from afar", 1}, {hub:receive(PATIENCE)})
  end)
end)

describe("a file that is sent over a channel", function()
  after_each(channels.close)

  it("is read, written and appended to where it was opened so", function()
    local a, b = pair()
    local path = os.tmpname()
    for _, step in ipairs {{"w", "write", "one\n"}, {"a", "write", "two\n"}, {"r", "read", "one\ntwo\n"},
      {"r+", "write", "ONE"}, {"a+", "write", "three\n"}, {"r", "read", "ONE\ntwo\nthree\n"}} do
      local mode, method, text = table.unpack(step)
      local file = assert(io.open(path, mode))
      a:send_handle(file)
      file:close()
      local got = assert(b:receive_handle(PATIENCE))
      assert.equal("file", io.type(got))
      if method == "read" then assert.equal(text, got:read("a")) else assert(got:write(text)) end
      assert.is_true(got:close())
    end
    os.remove(path)
  end)

  it("works in another process when the first has closed it, and goes on where it was", function()
    local file = io.tmpfile()
    file:write("one\ntwo\n")
    file:seek("set", 4)
    local reader = child(function(channel)
      local got = channel:receive_handle()
      channel:send(got:read("l"))
      got:write("three\n")
    end)
    assert.is_true(reader.channel:send_handle(file))
    assert.equal("two", reader.channel:receive(PATIENCE))
    reader:wait(PATIENCE)
    file:seek("set", 8)
    assert.equal("three", file:read("l"))
    file:close()
  end)

  it("has been flushed before", function()
    local a, b = pair()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:setvbuf("full")
    file:write("here ")
    a:send_handle(file)
    keep(assert(b:receive_handle(PATIENCE))):write("and there"):flush()
    file:close()
    local text <close> = assert(io.open(path))
    os.remove(path)
    assert.equal("here and there", text:read("a"))
  end)
end)

describe("what cannot be sent as a handle", function()
  after_each(channels.close)

  it("raises, and nothing is sent", function()
    local a, b = pair()
    local shut, open = pair()
    shut:close()
    local file = io.tmpfile()
    file:close()
    local own = pair {codec = {encode = tostring, decode = tostring}}
    local unread, writer = pair()
    writer:send("one")
    writer:send("two")
    unread:receive(PATIENCE)
    for fault, what in pairs {
      ["channel is closed"] = shut, ["file is closed"] = file, ["channel or file expected, got table"] = {},
      ["a channel with a codec of your own cannot travel"] = own,
      ["channel has messages that were not received yet"] = unread,
    } do
      assert.error_matches(function() a:send_handle(what) end, fault, 1, true)
    end
    assert.error_matches(function() a:send_handle(open, -1) end, "timeout must be seconds, not negative")
    assert.same({nil, "timeout"}, {b:receive(0)})
  end)

  it("is anything, over lines and pipes", function()
    local lines = pair {framing = "line"}
    local output, pipe = channels.fifo()
    for _, channel in ipairs {lines, pipe} do
      local none, why, errno = channel:send_handle(output)
      assert.same({nil, EOPNOTSUPP}, {none, errno})
      assert.matches("handles travel over Unix sockets with framing \"length\" only", why)
      assert.equal(EOPNOTSUPP, (select(3, channel:receive_handle(0))))
    end
  end)

  it("is reported when a peer says it is one, and the next one comes", function()
    local ours, theirs = pair {codec = "raw"}
    local python = keep(assert(ipc.process {"/usr/bin/python3", "-c", [[
import os, socket, struct
s = socket.socket(fileno=0)
def say(text, *fds):
    socket.send_fds(s, [struct.pack(">I", len(text) | 1 << 31) + text], fds)
null = os.open("/dev/null", os.O_RDONLY)
for text in (b"", b"sofa r", b"file", b"file x", b"file rw", b"channel", b"channel xml length 5",
             b"channel raw length -1", b"channel raw length x", b"file " + b"r" * 1000, b"\0\0\0\0"):
    say(text, null)
s.sendall(struct.pack(">I", 6 | 1 << 31) + b"file r")
say(b"file r", null)
s.sendall(struct.pack(">I", 4) + b"done")
]], stdin = theirs}))
    theirs:close()
    waits.collect()
    local before = channels.descriptors()
    for i = 1, 12 do
      local none, why, errno = ours:receive_handle(PATIENCE)
      assert.same({nil, EPROTO}, {none, errno})
      assert.matches(i < 12 and "of an unknown kind was received" or "its descriptor did not come", why)
    end
    keep(assert(ours:receive_handle(PATIENCE)))
    assert.equal("done", ours:receive(PATIENCE))
    assert.same({true, "exit", 0}, {python:wait(PATIENCE)})
    assert.equal(before, channels.descriptors()) -- a file more, a process less
  end)
end)
