-- SPDX-License-Identifier: MIT
-- Follows a log with tail(1) and gives every new line to each subscriber; a tail that is killed is started again
-- where it was, a log that is rotated is followed on. `tail.lua LOG SOCKET` serves programs that ipc.connect to
-- SOCKET until it is interrupted; without arguments it shows itself. See doc/process.md.

local ipc = require "ipc"

-- What tail says about a file goes the same way as the lines, so it has its place among them.
local function said_by_tail(line, log)
  return line:sub(1, 6) == "tail: " and line:find(log, 1, true) ~= nil
end

local Follower = {}
Follower.__index = Follower

function Follower.new(log, hub)
  local follower = setmetatable({log = log, hub = hub, position = 0}, Follower)
  follower.task = ipc.task(follower.run, follower):detach()
  return follower
end

function Follower:deliver(line)
  if not said_by_tail(line, self.log) then
    self.position = self.position + #line + 1
    self.hub:send(line)
  elseif line:find("following new file", 1, true) or line:find("file truncated", 1, true) then
    self.position = 0
  end
end

-- The last line before the end may be half of one. It is not delivered: the next tail starts with it.
function Follower:read(out)
  local line = out:receive()
  while line do
    local following, why = out:receive(0)
    if why == "closed" then return end
    self:deliver(line)
    line = following or out:receive()
  end
end

function Follower:run()
  while true do
    local child <close> = assert(ipc.process{"tail", "-c", "+" .. self.position + 1, "-F", self.log,
      stdout = "pipe", stderr = "stdout", env = {LC_ALL = "C", PATH = os.getenv("PATH")}})
    self.pid = child.pid
    self:read(child.stdout)
    child:wait()
    ipc.sleep(0.05) -- a tail that cannot run at all shall not keep us busy
  end
end

local function serve(log, path)
  local trap <close> = ipc.signal_trap("INT", "TERM") -- until the hub has closed, and its path is gone
  local hub <close> = ipc.multi_stream_channel{codec = "raw", backpressure = "drop_oldest"}
  assert(hub:listen(path))
  local follower = Follower.new(log, hub)
  local greeter = ipc.task(function() -- a subscriber that says something hears that it is counted in
    repeat
      local message, client = hub:receive() -- not messages(): a stranger's nonsense would end the loop
      if message then hub:send("following " .. log, client) end
    until client == "closed"
  end):detach()
  trap:wait()
  greeter:close()
  follower.task:close()
end

local function show()
  local log = os.tmpname()
  local _ <close> = setmetatable({}, {__close = function() -- at the end, whatever that is: Ctrl-C, an error
    local _ <close> = ipc.signal_trap("INT") -- a Ctrl-C has to wait for this
    os.remove(log)
    os.remove(log .. ".1")
  end})
  local file = assert(io.open(log, "a"))
  file:setvbuf("line")
  local hub <close> = ipc.multi_stream_channel{codec = "raw"}
  local readers = {hub:create_client(), hub:create_client()}
  local follower = Follower.new(log, hub)
  local function write(line)
    file:write(line, "\n")
    for i, reader in ipairs(readers) do print(i, reader:receive()) end
  end
  write "one"
  write "two"
  ipc.signal("KILL"):dispatch(follower.pid)
  write "three"
  file:close()
  os.rename(log, log .. ".1")
  file = assert(io.open(log, "a"))
  file:setvbuf("line")
  write "four, in a new file"
  follower.task:close()
  file:close()
end

if not arg[1] then
  show()
elseif #arg ~= 2 or arg[1]:sub(1, 1) == "-" then
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua tail.lua [LOG SOCKET]\n"
  os.exit(arg[1] == "--help" and 0 or 2)
elseif not io.open(arg[1]) then -- tail would wait for it
  io.stderr:write("tail.lua: there is no file ", arg[1], "\n")
  os.exit(1)
else
  serve(arg[1], arg[2])
end
