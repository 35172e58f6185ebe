-- SPDX-License-Identifier: MIT
-- channel.lua for cqueues: 64-byte strings behind a 4-byte length, between two processes with an event loop each. The
-- second process is this file again, its end of the socketpair being descriptor 0. A message is on its way when send
-- returns, as with the others; `oneway buffered` lets cqueues collect many into one system call instead.
local cqueues = require "cqueues"
local socket = require "cqueues.socket"
local how, child = arg[1], arg[2] == "child"
local mode = arg[2] == "buffered" and "bf" or "bn"
local n = how == "oneway" and 200000 or 20000
local message = ("x"):rep(64)

local function send(sock, text)
  assert(sock:xwrite(string.pack(">s4", text), mode))
end

local function receive(sock)
  local length = sock:xread(4)
  return length and sock:xread(string.unpack(">I4", length))
end

local function echo(sock)
  local got = 0
  for text in receive, sock do
    got = got + 1
    if how == "roundtrip" or got == n then send(sock, text) end
  end
end

local function run(sock)
  local start = cqueues.monotime()
  for i = 1, n do
    send(sock, message)
    if how == "roundtrip" or i == n then
      assert(sock:flush())
      assert(receive(sock))
    end
  end
  print((cqueues.monotime() - start) / n * 1e9)
end

local loop = cqueues.new()
if child then
  loop:wrap(echo, socket.fdopen(0))
  assert(loop:loop())
else
  local ours, theirs = socket.pair{cloexec = false}
  local process = io.popen(("exec '%s' '%s' %s child <&%d %d<&- %d<&-"):format(arg[-1], arg[0], how, theirs:pollfd(),
    ours:pollfd(), theirs:pollfd()))
  theirs:close()
  loop:wrap(run, ours)
  assert(loop:loop())
  ours:close()
  process:close()
end
