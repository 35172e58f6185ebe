-- SPDX-License-Identifier: MIT
-- channel.lua for luv: 64-byte strings behind a 4-byte length, between two processes with an event loop each. The
-- second process is this file again, its end of the socketpair being descriptor 0.
local uv = require "luv"
local how, child = arg[1], arg[2] == "child"
local n = how == "oneway" and 200000 or 20000
local message = ("x"):rep(64)

local function opened(fd)
  local pipe = uv.new_pipe(false)
  assert(pipe:open(fd))
  return pipe
end

-- True when the kernel took all of it at once; else the loop writes the rest and then calls done.
local function send(pipe, text, done)
  local frame = string.pack(">s4", text)
  local written = pipe:try_write(frame)
  if written == #frame then return true end
  assert(pipe:write(frame:sub((written or 0) + 1), done))
  return false
end

-- Calls take(text) for each message, however the bytes come.
local function receive(pipe, take)
  local rest = ""
  pipe:read_start(function(err, chunk)
    assert(not err, err)
    if not chunk then return uv.stop() end
    if rest ~= "" then chunk = rest .. chunk end
    local at, size = 1, #chunk
    while size - at >= 3 do
      local length = string.unpack(">I4", chunk, at)
      if size - at < length + 3 then break end
      local text
      text, at = string.unpack(">s4", chunk, at)
      take(text)
    end
    rest = at > size and "" or chunk:sub(at)
  end)
end

if child then
  local pipe, got = opened(0), 0
  receive(pipe, function(text)
    got = got + 1
    if how == "roundtrip" or got == n then send(pipe, text) end
  end)
  uv.run()
  os.exit(true)
end

local fds = assert(uv.socketpair("stream", nil, {nonblock = true}, {nonblock = true}))
assert(uv.spawn(uv.exepath(), {args = {arg[0], how, "child"}, stdio = {fds[2], 1, 2}}, function() end))
assert(uv.fs_close(fds[2]))
local pipe = opened(fds[1])

local sent = 0
local function pump(err)
  assert(not err, err)
  repeat
    sent = sent + 1
  until not send(pipe, message, sent < n and pump or nil) or sent == n
end

local start = uv.hrtime()
local got = 0
receive(pipe, function()
  got = got + 1
  if how == "oneway" or got == n then
    print((uv.hrtime() - start) / n)
    pipe:close() -- the other process ends, and with it the loop
  else
    send(pipe, message)
  end
end)
if how == "oneway" then pump() else send(pipe, message) end
uv.run()
