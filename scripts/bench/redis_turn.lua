-- SPDX-License-Identifier: MIT
-- A message to a process that waits for it, and one back, over a Redis server: 64 bytes. Prints ns per message.
--   redis_turn.lua N
local ipc = require "ipc"
local n, socket = tonumber(arg[1]), os.getenv("REDIS_SOCKET")

local function queue(name)
  return assert(ipc.queue(ipc.redis_key(("redis+unix://%s?name=%s"):format(socket, name)), {codec = "raw"}))
end

local message = ("x"):rep(64)
local _ <close> = assert(ipc.process(function()
  local there <close> = queue("there")
  local back <close> = queue("back")
  for _ = 1, n do back:send(1, there:receive(1)) end
end))
local there <close> = queue("there")
local back <close> = queue("back")
local start
for i = 1, n do
  if i == n // 10 then start = ipc.now() end
  there:send(1, message)
  back:receive(1)
end
print((ipc.now() - start) / (n - n // 10 + 1) / 2 * 1e9)
