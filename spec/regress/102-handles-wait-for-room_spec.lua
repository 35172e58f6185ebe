-- SPDX-License-Identifier: MIT
-- A handle that arrived where no descriptor was left was lost, and called a protocol error: the kernel drops what it
-- has no number for. It stays in the socket now, the messages before it come, and it comes when something was closed.
-- A channel with a small max_message took a handle for too long a frame and closed; what else comes with the bytes of a
-- Unix socket, credentials for a peer that had asked for them, took the place of the descriptor.

local ipc = require "ipc"
local channels = require "spec.support.channels"
local waits = require "spec.support.waits"

local PATIENCE <const>, EMSGSIZE <const> = channels.PATIENCE, 90
local host = os.getenv("IPCLUA") or "build/ipclua"

-- What a script prints that has few descriptors, and files to have none.
local function few(script)
  local name = os.tmpname()
  local file <close> = assert(io.open(name, "w"))
  file:write [[
    local ipc = require "ipc"
    local files = {}
    local function fill()
      for file in function() return io.open("/dev/null") end do files[#files + 1] = file end
    end
    local function free(n) for _ = 1, n do table.remove(files):close() end end
    local function say(what, value, why, errno) print(what, type(value) == "userdata" or value, errno or "") end
    local a, b = ipc.stream_channel_pair()
    local x, y = ipc.stream_channel_pair()
  ]]
  file:write(script)
  file:flush()
  finally(function() os.remove(name) end)
  local pipe = assert(io.popen(("ulimit -n 50; exec timeout 60 %s %s 2>&1"):format(host, name)))
  local text = pipe:read("a")
  assert.is_true(pipe:close(), text)
  return (text:gsub("\t", " "):gsub("\n", "|"))
end

describe("a handle for which there is no descriptor", function()
  it("stays in the socket, behind the messages that came before it", function()
    local expected = "1 before |2 nil 24|3 nil 24|4 true |5 nil 24|5.5 true |6 true |7 after |"
    assert.equal(expected, (few [[
      a:send("before")
      a:send_handle(x)
      a:send_handle(y)
      a:send("after")
      fill()
      say(1, b:receive(0))
      say(2, b:receive_handle(0))
      say(3, b:receive(0))
      free(1)
      local kept = b:receive_handle(0) -- else it is garbage, which is collected for want of a descriptor
      say(4, kept)
      fill()
      say(5, b:receive_handle(0))
      say(5.5, kept)
      free(1)
      say(6, b:receive_handle(0))
      fill()
      say(7, b:receive(0))
    ]]))
  end)

  it("is told to a waiter, and to a select, and comes later", function()
    assert.equal("1 nil 24|2 nil 24|3 true |4 false |5 true |6 end |", (few [[
      local t = ipc.task(function() say(1, b:receive_handle(60)) end)
      local copies = {}
      ipc.yield()
      for _ = 1, 2 do a:send_handle(io.stdin) end
      a:send("end")
      fill()
      t:join()
      say(2, select(2, ipc.select({{b, "receive_handle"}}, 60)))
      free(2)
      copies[1] = b:receive_handle(0)
      say(3, copies[1])
      fill()
      say(4, (pcall(function() for _ in b:messages() do end end)))
      free(1)
      copies[2] = b:receive_handle(0)
      say(5, copies[2])
      fill()
      say(6, b:receive(0))
    ]]))
  end)

  it("may be one that was not asked for: messages come, and nothing stays open", function()
    local text = few [[
      local child = assert(ipc.process {"/usr/bin/python3", "-c", "\
import os, socket, struct\
s = socket.socket(fileno=0)\
n = os.open('/dev/null', os.O_RDONLY)\
for i in range(1, 21):\
    socket.send_fds(s, [struct.pack('>I', len(str(i))) + str(i).encode()], [n] * i)\
", stdin = y})
      y:close()
      child:wait()
      collectgarbage()
      local function count()
        fill()
        local n = #files
        free(n)
        return n
      end
      local before = count()
      for i = 1, 20 do
        if i == 8 then fill() end
        if i == 15 then free(#files) end
        assert(x:receive(0) == i)
      end
      say(before, count())
    ]]
    local before, after = text:match("^(%d+) (%d+) ")
    assert.equal(before, after, text)
  end)
end)

describe("a handle", function()
  after_each(channels.close)

  it("is no message, and may be longer than those", function()
    local a, b = channels.pair{max_message = 5, codec = "raw"}
    a:send_handle(a)
    assert.matches("StreamChannel", tostring(channels.keep(b:receive_handle(PATIENCE))))
    a:send("next")
    assert.equal("next", b:receive(PATIENCE))
  end)

  it("comes over a socket at which others have asked for credentials", function()
    local python = channels.keep(assert(ipc.process{"/usr/bin/python3", "-c", [[
import os, socket, subprocess, struct, sys
a, b = socket.socketpair()
for option in (socket.SO_PASSCRED, socket.SO_PASSSEC, 76):
    try: b.setsockopt(socket.SOL_SOCKET, option, 1)
    except OSError: pass
program = """
local ipc = require 'ipc'
local input = ipc.stream_channel(0, {codec = 'raw'})
print(input:receive(60), io.type(input:receive_handle(60)), input:receive(60))
"""
child = subprocess.Popen([sys.argv[1], "-e", program], stdin=b)
null = os.open("/dev/null", os.O_RDONLY)
a.sendall(struct.pack(">I", 3) + b"one")
socket.send_fds(a, [struct.pack(">I", 6 | 1 << 31) + b"file r"], [null])
a.sendall(struct.pack(">I", 3) + b"two")
child.wait()
]], host, stdout = "pipe"}))
    assert.equal("one\tfile\ttwo", python.stdout:receive(PATIENCE))
    assert.is_true(python:wait(PATIENCE))
  end)

  it("sends the client of a hub away, and its descriptor does not get in", function()
    local hub = channels.keep(ipc.multi_stream_channel())
    local client, other = channels.keep(hub:create_client()), channels.keep(hub:create_client())
    waits.collect()
    local before = channels.descriptors()
    client:send("first")
    client:send_handle(io.stdin)
    other:send("other")
    assert.same({"first", 1}, {hub:receive(PATIENCE)})
    local got = {}
    for _ = 1, 2 do
      local message, why, errno, who = hub:receive(PATIENCE)
      got[who or why] = message or errno
    end
    assert.same({EMSGSIZE, "other"}, got)
    assert.equal(before - 1, channels.descriptors()) -- the client has gone
    assert.same({2}, hub:clients())
  end)
end)

-- The highest bit, which announces a handle, was taken off the length that was reported.
describe("a frame that claims to be very long", function()
  after_each(channels.close)

  it("is reported with what it claims", function()
    local socket, peer = channels.pair{codec = "raw"}
    local output, pipe = channels.fifo()
    local printf = channels.keep(assert(ipc.process{"printf", "\\377\\377\\377\\377", stdout = peer}))
    assert.is_true(printf:wait(PATIENCE))
    output:write("\xff\xff\xff\xff")
    for _, channel in ipairs{socket, pipe} do
      local none, why, errno = channel:receive(PATIENCE)
      assert.same({nil, EMSGSIZE}, {none, errno})
      assert.matches("message of 4294967295 bytes is over this channel's limit of 16777216 bytes", why)
    end
  end)

  it("is one over a pipe, where no handle can come", function()
    local output, pipe = channels.fifo()
    output:write("\x80\0\0\5hello")
    local none, why, errno = pipe:receive(PATIENCE)
    assert.same({nil, EMSGSIZE}, {none, errno})
    assert.matches("message of 2147483653 bytes", why)
    assert.same({nil, "closed"}, {pipe:receive(0)})
  end)
end)

-- The limit that was told was not the one that was kept.
describe("a path to listen at", function()
  it("may have 100 bytes, and no more", function()
    local folder = os.tmpname()
    assert(os.execute(("rm %s; mkdir %s; touch '%s/%s'"):format(folder, folder, folder, "keep")))
    finally(function() os.execute("rm -r " .. folder) end)
    for length, listens in pairs{[100] = true, [101] = false, [107] = false} do
      local hub <close> = ipc.multi_stream_channel()
      local ok, why, errno = hub:listen(folder .. "/" .. ("x"):rep(length - #folder - 1))
      assert.equal(listens, ok or false)
      if not listens then
        assert.equal(36, errno)
        assert.matches("the path can have 100 bytes", why)
      end
    end
  end)

  it("does not cost a file that is called as the socket was to be for a moment", function()
    local folder = os.tmpname()
    assert(os.execute(("rm %s; mkdir %s"):format(folder, folder)))
    finally(function() os.execute("rm -r " .. folder) end)
    local name = ("%s/hub.%x"):format(folder, channels.own_pid())
    assert(io.open(name, "w")):write("mine"):close()
    local hub <close> = ipc.multi_stream_channel()
    assert.is_nil((hub:listen(folder .. "/hub")))
    local file <close> = assert(io.open(name))
    assert.equal("mine", file:read("a"))
  end)
end)
