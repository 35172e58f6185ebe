-- SPDX-License-Identifier: MIT
-- A file lock: a program of which only one may run at a time. It starts itself twice to show it.
-- `file_lock.lua FILE` is at work for a moment, if no other process is with that file. See doc/file_lock.md.

local ipc = require "ipc"

if arg[2] or (arg[1] or ""):sub(1, 1) == "-" then
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua file_lock.lua [FILE]\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end
if arg[1] and not io.open(arg[1]) then -- ipc.file_lock would make it
  io.stderr:write("file_lock.lua: there is no file ", arg[1], "\n")
  os.exit(1)
end

local path = arg[1] or os.tmpname() -- a real program takes a fixed name, below /run/lock
local _ <close> = setmetatable({}, { __close = function() -- at the end, whatever that is: Ctrl-C, an error
  local _ <close> = ipc.signal_trap("INT") -- a Ctrl-C has to wait for this
  if not arg[1] then os.remove(path) end
end })

local lock = ipc.file_lock(path) -- opens the file, does not lock it yet
if not lock:try_acquire() then
  print "another one is at work"
  os.exit(1)
end
print "at work"
if arg[1] then return end -- the end of the program gives the lock back

local function start_another()
  local pipe <close> = io.popen(("%s %s %s"):format(arg[-1], arg[0], path))
  io.write("  the other says: ", pipe:read("a"))
  print("  it ended with", select(3, pipe:close()))
end
start_another()
lock:release()
start_another()

-- No lock outlives its holder, even if that had no time to give it back.
local child = ipc.process(function(channel)
  lock:acquire() -- a forked process is another holder
  channel:send "a child is at work"
  ipc.sleep(3600)
end)
print(child.channel:receive())
print(lock:try_acquire())
child:signal("KILL")
print(lock:acquire(5))

-- Any number may share it, and then none has it alone.
lock:release()
local reader = ipc.file_lock(path)
print(reader:acquire(0, "shared"), lock:acquire(0, "shared"))
lock:release()
print(lock:acquire(0, "exclusive"))
