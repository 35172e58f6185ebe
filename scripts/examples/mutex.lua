-- SPDX-License-Identifier: MIT
-- A mutex: processes that count in one file, one of which is killed in the middle of a change.
-- See doc/mutex.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua mutex.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local mutex = ipc.mutex(ipc.private) -- for this process, and the children that it forks
local path = os.tmpname()
local children = {}
local _ <close> = setmetatable({}, { __close = function() -- at the end, whatever that is: Ctrl-C, an error
  local _ <close> = ipc.signal_trap("INT") -- a Ctrl-C has to wait for this
  for _, child in ipairs(children) do child:close() end -- first: a child could make a file anew
  os.remove(path)
  os.remove(path .. ".old")
end })

local function read(name)
  local file <close> = io.open(name)
  return file and file:read("n")
end

local function write(name, text)
  local file <close> = assert(io.open(name, "w"))
  assert(file:write(text))
end

-- Adds one. The old count is in a second file for as long as the first one cannot be trusted.
local function count()
  local _ <close>, how = mutex:hold()
  if how == "abandoned" then
    print("the holder before died and left", read(path))
    write(path, read(path .. ".old"))
    print("repaired", read(path))
  end
  local n = read(path)
  write(path .. ".old", n)
  write(path, n + 1)
end

write(path, 0)
for i = 1, 4 do
  children[i] = ipc.process(function() for _ = 1, 25 do count() end end)
end
for _, child in ipairs(children) do child:wait() end
print("four times 25 are", read(path))

-- This one is killed when the file is empty already and the new count is not there yet.
children[5] = ipc.process(function(channel)
  mutex:acquire()
  write(path .. ".old", read(path))
  write(path, "")
  channel:send "in the middle"
  ipc.sleep(3600)
end)
local clumsy = children[5]
print(clumsy.channel:receive(), "held by it: " .. tostring(mutex:holder() == clumsy.pid))
local waiting <close> = ipc.task(count) -- waits; it is woken when the holder has died
ipc.sleep(0.05)
clumsy:signal("KILL")
waiting:join()
print("and one more is", read(path))
