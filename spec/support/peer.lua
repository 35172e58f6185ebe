-- SPDX-License-Identifier: MIT
-- Programs in other languages, spec/support/peers/: started from a spec, they obey lines on their standard input and
-- answer each with a line. C programs are compiled when they are needed.

local ipc = require "ipc"
local assert = require "luassert"

local PATIENCE = 20

local peer = {PHP = "php", PYTHON = "/usr/bin/python3"}
peer.__index = peer

local compiled = {}

-- The program (or, with flags, the library) made of a C file of peers/. Removed by peer.clean.
function peer.compile(name, flags)
  if compiled[name] then return compiled[name] end
  local path = os.tmpname()
  compiled[name] = path
  assert(os.execute(("cc -O1 -D_GNU_SOURCE %s -o %s spec/support/peers/%s"):format(flags or "", path, name)))
  return path
end

function peer.clean()
  for name, path in pairs(compiled) do
    os.remove(path)
    compiled[name] = nil
  end
end

-- What a command prints.
function peer.output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  assert.is_true(pipe:close(), command)
  return text
end

-- Starts a command. Its first line is its process id.
function peer.run(command)
  local fifo = os.tmpname()
  assert(os.remove(fifo) and os.execute("mkfifo " .. fifo))
  local out = assert(io.popen(("exec <%s 2>&1 %s"):format(fifo, command)))
  local self = setmetatable({out = out}, peer)
  self.to = assert(io.open(fifo, "w")) -- returns when the other end is open
  self.to:setvbuf("no")
  os.remove(fifo)
  self.channel = assert(ipc.stream_channel(out, {framing = "line", codec = "raw"}))
  self.pid = math.tointeger(tonumber(self:hear())) or error("did not start: " .. command)
  return self
end

-- Starts peers/NAME with these arguments.
function peer.start(name, ...)
  local program = name:match("%.php$") and peer.PHP .. " spec/support/peers/" .. name
    or name:match("%.py$") and peer.PYTHON .. " spec/support/peers/" .. name
    or peer.compile(name)
  local arguments = {}
  for i, argument in ipairs{...} do arguments[i] = ("'%s'"):format(argument) end
  return peer.run(program .. " " .. table.concat(arguments, " "))
end

-- The next line it says, or nil and why not.
function peer:hear(timeout)
  return self.channel:receive(timeout or PATIENCE)
end

function peer:tell(line)
  assert(self.to:write(line .. "\n"))
end

function peer:ask(line)
  self:tell(line)
  return self:hear()
end

-- Kills it and waits until it is gone.
function peer:kill()
  assert(ipc.signal("KILL"):dispatch(self.pid))
  assert.same({nil, "closed"}, {self:hear()})
  self:close()
end

-- Ends it: it sees the end of its input.
function peer:close()
  if not self.to then return end
  self.to:close()
  self.to = nil
  self.channel:close()
  self.out:close()
end

peer.__close = peer.close

return peer
