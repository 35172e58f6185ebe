-- SPDX-License-Identifier: MIT
-- A queue on a Redis server: so many tasks send and receive 64 bytes, each one message after the other, or so many at a
-- time. Prints ns per message.
--   redis_queue.lua N TASKS [MANY]
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

local function work_many(count, list)
  for _ = 1, count / #list do
    q:send_many(1, list)
    local left = #list
    repeat left = left - #q:receive_many(left) until left == 0
  end
end

local list = {}
for i = 1, arg[3] or 0 do list[i] = message end

local start = ipc.now()
if list[1] then
  work_many(n, list)
elseif tasks == 1 then
  work(n)
else
  ipc.scope(function(scope)
    for _ = 1, tasks do scope:task(work, n // tasks) end
  end)
end
print((ipc.now() - start) / n * 1e9)
