-- SPDX-License-Identifier: MIT
-- A queue on a Redis server: so many tasks send and receive 64 bytes, each one message after the other. Prints ns per
-- message.
--   redis_queue.lua N TASKS
local ipc = require "ipc"
local n, tasks, socket = tonumber(arg[1]), tonumber(arg[2]), os.getenv("REDIS_SOCKET")
local q = assert(ipc.queue(ipc.redis_key(("redis+unix://%s?name=bench"):format(socket)), {codec = "raw"}))
local message = ("x"):rep(64)

local function work(count)
  for _ = 1, count do
    q:send(1, message)
    q:receive(1)
  end
end

local start = ipc.now()
if tasks == 1 then
  work(n)
else
  ipc.scope(function(scope)
    for _ = 1, tasks do scope:task(work, n // tasks) end
  end)
end
print((ipc.now() - start) / n * 1e9)
