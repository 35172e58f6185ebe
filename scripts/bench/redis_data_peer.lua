-- SPDX-License-Identifier: MIT
-- redis_data.lua for lua-redis, under Lua 5.1: HGET, HSET, HINCRBY. Prints ns per call.
--   redis_data_peer.lua get|set|add
local redis = require "redis"
local socket = require "socket"
local server = redis.connect("unix://" .. os.getenv("REDIS_SOCKET"))
local n, value = 10000, ("x"):rep(64)
server:hset("bench", "name", value)
local calls = {
  get = function() return server:hget("bench", "name") end,
  set = function() return server:hset("bench", "name", value) end,
  add = function() return server:hincrby("bench", "n", 1) end,
}
local call, start = calls[arg[1]], socket.gettime()
for _ = 1, n do call() end
print((socket.gettime() - start) / n * 1e9)
