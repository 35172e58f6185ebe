-- SPDX-License-Identifier: MIT
-- For specs about channels: ends that are closed after each spec (after_each(channels.close)), pipes into which one
-- writes byte by byte, and bytes as a shell's printf wants them.

local ipc = require "ipc"

local channels = {PATIENCE = 20} -- seconds until a wait that should have ended fails the spec

local opened = {}

function channels.keep(...)
  for i = 1, select("#", ...) do opened[#opened + 1] = (select(i, ...)) end
  return ...
end

function channels.pair(options)
  return channels.keep(assert(ipc.stream_channel_pair(options)))
end

function channels.close()
  for _, open in ipairs(opened) do
    if io.type(open) ~= "closed file" then open:close() end
  end
  opened = {}
end

-- A file that writes at once, and the channel at which that arrives.
function channels.fifo(options)
  local path = os.tmpname()
  assert(os.execute(("rm %s; mkfifo %s"):format(path, path)))
  local both = assert(io.open(path, "r+")) -- opens without waiting for the other end
  local output, input = assert(io.open(path, "w")), assert(io.open(path, "r"))
  os.remove(path)
  output:setvbuf("no")
  local channel = assert(ipc.stream_channel(input, options))
  both:close()
  input:close()
  return channels.keep(output, channel)
end

-- A message as a frame.
function channels.frame(framing, text)
  return framing == "line" and text .. "\n" or (">s4"):pack(text)
end

-- Any bytes, for the format of printf(1).
function channels.printf(bytes)
  return (bytes:gsub(".", function(c) return ("\\%03o"):format(c:byte()) end):gsub("\n", "\\012"))
end

function channels.own_pid()
  local file <close> = assert(io.open("/proc/self/stat"))
  return file:read("n")
end

-- How many descriptors this process has. /proc is read by another one, which is told when popen has closed its own.
function channels.descriptors()
  local path = os.tmpname()
  local pipe = io.popen(("read go; ls /proc/%d/fd | wc -l >%s"):format(channels.own_pid(), path), "w")
  pipe:write("go\n")
  pipe:close()
  local file <close> = io.open(path)
  os.remove(path)
  return file:read("n")
end

return channels
