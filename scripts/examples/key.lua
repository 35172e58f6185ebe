-- SPDX-License-Identifier: MIT
-- Keys: how processes that know nothing of each other find the same objects.
-- See doc/key.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua key.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local path = os.tmpname() -- stands for a file that your programs know, and that is never edited
local program = path .. ".lua"
local key = ipc.file_key(path)
local next_key = key:clone() -- the next project of the same file: another object

-- Objects behind a key outlive the process that made them. These are removed at the end, whatever that is: Ctrl-C, an
-- error.
local _ <close> = setmetatable({}, { __close = function()
  local _ <close> = ipc.signal_trap("INT") -- a Ctrl-C has to wait for this
  ipc.queue(key):remove()
  ipc.queue(next_key):remove()
  os.remove(path)
  os.remove(program)
end })
print("project", key.project)

local jobs, done = ipc.queue(key), ipc.queue(next_key)
jobs:send(1, "wash up")
print("waiting:", #jobs, #done)

-- Another program, with the name of the key on its command line; it could be in PHP, Python or C,
-- and make the number with ftok.
local script = [[
  local ipc = require "ipc"
  local key = ipc.key(arg[1])
  local job = ipc.queue(key):receive()
  ipc.queue(key:clone()):send(1, job .. ": done")
]]
local file <close> = assert(io.open(program, "w"))
file:write(script)
file:flush()
if not os.execute(("%s %s 'file:%s?project=0'"):format(arg[-1], program, path)) then return end -- Ctrl-C ends it alone
print(done:receive(1, 5))

-- The text of the path does not matter, the file does. A new file of the old name is another one, so
-- an editor that saves by renaming takes the objects out of sight.
print("same file, same key:", ipc.file_key((path:gsub("^(.*)/", "%1/./"))) == key)
os.rename(program, path)
print("another file, same key:", ipc.file_key(path) == key)
