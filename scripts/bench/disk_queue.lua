-- SPDX-License-Identifier: MIT
-- A queue on a disk, in a folder of /tmp: so many tasks send for a second, or send and receive, or send, take and say
-- done. Prints ns for each message.
--   ipclua disk_queue.lua [TASKS [send|receive|take]]

local ipc = require "ipc"
local tasks, how = tonumber(arg[1]) or 1, arg[2] or "send"

local path = os.tmpname()
os.remove(path)
local queue = assert(ipc.queue(ipc.disk_key(path), {codec = "raw", capacity = 1 << 30}))
local message, messages, start = ("x"):rep(100), 0, ipc.now()

local function work()
  repeat
    assert(queue:send(1, message))
    if how == "receive" then assert(queue:receive(1)) end
    if how == "take" then assert(queue:take(1)):done() end
    messages = messages + 1
  until ipc.now() - start > 1
end

ipc.scope(function(scope)
  for _ = 1, tasks do scope:task(work) end
end)
print((ipc.now() - start) / messages * 1e9)
queue:close()
os.execute("rm -r " .. path)
