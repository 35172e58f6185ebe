-- SPDX-License-Identifier: MIT
-- A proxy to the server of the redis engine (peers/proxy.py, which obeys proxy:ask), and the key of the same name
-- through it.

local ipc = require "ipc"
local peer = require "spec.support.peer"

return function(redis, key)
  local path = os.tmpname()
  os.remove(path)
  local proxy = peer.start("proxy.py", path, redis.socket())
  return proxy, assert(ipc.redis_key(("redis+unix://%s?name=%s&lease=%d"):format(path, key.name, redis.lease)))
end
