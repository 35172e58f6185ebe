-- SPDX-License-Identifier: MIT
-- Channels of descriptors of all kinds, what they say of themselves, and what is refused.

local ipc = require "ipc"
local channels = require "spec.support.channels"
local waits = require "spec.support.waits"

local EBADF <const>, EISDIR <const>, EOPNOTSUPP <const> = 9, 21, 95
local PATIENCE <const> = channels.PATIENCE
local pair, fifo = channels.pair, channels.fifo

describe("what a channel says of itself", function()
  after_each(channels.close)

  it("is the maker of the other end, where a socket knows it", function()
    local a, b = pair()
    local pid, uid = a:peer()
    assert.equal(channels.own_pid(), pid)
    assert.is_true(math.type(uid) == "integer" and uid >= 0)
    b:close()
    local _, channel = fifo()
    local none, why, errno = channel:peer()
    assert.same({nil, EOPNOTSUPP}, {none, errno})
    assert.matches("only a Unix socket knows its peer", why)
  end)

  it("is its descriptor, or that it is closed", function()
    local a, b = pair()
    assert.equal(("ipc.StreamChannel (descriptor %d)"):format(a:fileno()), tostring(a))
    assert.not_equal(a:fileno(), b:fileno())
    a:close()
    a:close()
    assert.equal("ipc.StreamChannel (closed)", tostring(a))
    for _, method in ipairs {"send", "receive", "messages", "shutdown", "peer", "fileno", "receive_handle"} do
      assert.error_matches(function() a[method](a, "x") end, "channel is closed")
    end
  end)

  it("is nothing more when its handle is gone: the other end is told", function()
    local a, b = ipc.stream_channel_pair()
    a = a:fileno() and nil
    waits.collect()
    assert.is_nil(a)
    assert.same({nil, "closed"}, {b:receive(PATIENCE)})
    b:close()
  end)
end)

describe("a channel of a descriptor", function()
  after_each(channels.close)

  it("goes only as the descriptor goes", function()
    local null <close> = assert(io.open("/dev/null"))
    local reader <close> = assert(ipc.stream_channel(null, {framing = "line", codec = "raw"}))
    assert.equal(EBADF, select(3, reader:send("x")))
    assert.matches("channel goes the other way", (select(2, reader:send("x"))))
    assert.equal(EBADF, select(3, reader:shutdown()))
    local out <close> = assert(io.open("/dev/null", "w"))
    local writer <close> = assert(ipc.stream_channel(out, {codec = "raw"}))
    assert.equal(EBADF, select(3, writer:receive()))
    assert.is_true(writer:send("x"))
  end)

  it("is its own for a file, which stays open, and takes a number over", function()
    local file <close> = io.tmpfile()
    local channel = assert(ipc.stream_channel(file, {framing = "line", codec = "raw"}))
    channel:send("one")
    channel:close()
    file:seek("set")
    assert.equal("one", file:read("l"))
    local script = "local c = require 'ipc'.stream_channel(1, {framing = 'line', codec = 'raw'}) c:send('one') "
      .. "c:close() os.exit(not io.stdout:write('two'):flush() and 7)"
    local host <close> = assert(ipc.process {os.getenv("IPCLUA") or "build/ipclua", "-e", script, stdout = "pipe"})
    assert.equal("one", host.stdout:receive(PATIENCE))
    assert.same({nil, "closed"}, {host.stdout:receive(PATIENCE)})
    assert.same({nil, "exit", 7}, {host:wait(PATIENCE)})
  end)

  it("is refused for what is no stream", function()
    assert.equal(EBADF, select(3, ipc.stream_channel(99999)))
    local folder <close> = assert(io.open("/tmp"))
    local none, why, errno = ipc.stream_channel(folder)
    assert.same({nil, EISDIR}, {none, errno})
    assert.matches("cannot make a channel of descriptor %d+: Is a directory", why)
    local python <close> = assert(ipc.process {"/usr/bin/python3", "-c", [[
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); os.dup2(s.fileno(), 0)
os.execv(sys.argv[1], sys.argv[1:])]], os.getenv("IPCLUA") or "build/ipclua", "-e",
      "print(select(2, require 'ipc'.stream_channel(0)), (select(3, require 'ipc'.stream_channel(0))))",
      stdout = "pipe"})
    assert.matches("descriptor 0 is a socket, but not a stream: .*\t", python.stdout:receive(PATIENCE))
  end)
end)

describe("wrong arguments of a channel", function()
  local a <const>, b <const> = ipc.stream_channel_pair()
  local closed = io.tmpfile()
  closed:close()
  for fault, fn in pairs {
    ["table expected, got number"] = function() ipc.stream_channel_pair(7) end,
    ['codec must be "json", "lua", "raw" or a table'] = function() ipc.stream_channel_pair {codec = "xml"} end,
    ['framing must be "length" or "line", got \'7\''] = function() ipc.stream_channel_pair {framing = 7} end,
    ['codec "lua" is binary: it needs framing "length"'] = function()
      ipc.stream_channel_pair {codec = "lua", framing = "line"}
    end,
    ["max_message must be from 1 to 2147483647 bytes, got 0"] = function()
      ipc.stream_channel_pair {max_message = 0}
    end,
    ["file or descriptor expected, got no value"] = function() ipc.stream_channel() end,
    ["file or descriptor expected, got string"] = function() ipc.stream_channel("x") end,
    ["descriptor must be from 0 to 2147483647, got -1"] = function() ipc.stream_channel(-1) end,
    ["file is closed"] = function() ipc.stream_channel(closed) end,
    ["bad argument #1 to 'send' (value expected)"] = function() a:send() end,
    ["bad argument #2 to 'send' (timeout must be seconds, not negative)"] = function() a:send("x", -1) end,
    ["bad argument #2 to 'send' (number expected, got string)"] = function() a:send("x", "y") end,
    ["bad argument #1 to 'receive' (number expected, got table)"] = function() a:receive {} end,
    ["bad argument #1 to 'receive' (timeout must be seconds, not NaN)"] = function() a:receive(0 / 0) end,
    ["ipc.StreamChannel expected, got FILE*"] = function() a.receive(io.stdout) end,
    ["ipc.StreamChannel expected, got no value"] = function() a.close() end,
    ["channel or file expected, got number"] = function() a:send_handle(7) end,
  } do
    it("raise: " .. fault, function()
      assert.error_matches(fn, fault, 1, true)
      assert.same({nil, "timeout"}, {b:receive(0)})
    end)
  end
end)
