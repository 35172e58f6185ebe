-- SPDX-License-Identifier: MIT
-- A list on a Redis server by lua-redis: RPUSH and LPOP of 64 bytes, no types, no limit. Prints ns per message.
--   redis_queue_lua-redis.lua N
local redis = require "redis"
local n, client = tonumber(arg[1]), redis.connect("unix://" .. os.getenv("REDIS_SOCKET"))
local message = ("x"):rep(64)
local function now()
  local t = client:time()
  return t[1] + t[2] / 1e6
end

local start = now()
for _ = 1, n do
  client:rpush("bench", message)
  client:lpop("bench")
end
print((now() - start) / n * 1e9)
