-- SPDX-License-Identifier: MIT
-- A master, a replica, and a sentinel that makes the replica the master when that dies:
--   local cluster <close> = sentinel()
--   ipc.redis_key(cluster.url .. "/name")   cluster:replicated(key)   cluster.master:kill()

local ipc = require "ipc"
local assert = require "luassert"
local peer = require "spec.support.peer"
local ports = require "spec.support.ports"
local redis_process = require "spec.support.redis_process"

local PATIENCE <const> = 60

local cluster = {}
cluster.__index = cluster

local function until_true(what, why)
  local deadline = ipc.now() + PATIENCE
  while not what() do
    assert.is_true(ipc.now() < deadline, why)
    ipc.sleep(0.02)
  end
end

-- Waits until the replica has a key: it hears nothing for a moment after it has come.
function cluster:replicated(key)
  until_true(function() return self.replica:cli(("exists '%s'"):format(key)) == "1" end, "nothing is replicated")
end

function cluster:__close()
  self.sentinel:signal("KILL")
  self.sentinel:wait()
  self.master:close()
  self.replica:close()
  os.execute("rm -rf " .. self.folder)
end

return function()
  local port, first, second = ports(3)
  local node = "--bind 127.0.0.1 --repl-diskless-sync-delay 0 --port %d %s"
  local self = setmetatable({folder = os.tmpname()}, cluster)
  os.remove(self.folder)
  assert(os.execute("mkdir " .. self.folder))
  self.master = redis_process(node:format(first, ""))
  self.replica = redis_process(node:format(second, "--replicaof 127.0.0.1 " .. first))
  local file <close> = assert(io.open(self.folder .. "/sentinel.conf", "w"))
  file:write(("port %d\nbind 127.0.0.1\ndir %s\nlogfile /dev/null\n"):format(port, self.folder),
    ("sentinel monitor mine 127.0.0.1 %d 1\n"):format(first),
    "sentinel down-after-milliseconds mine 300\nsentinel failover-timeout mine 2000\n")
  file:close()
  self.sentinel = assert(ipc.process{"redis-server", self.folder .. "/sentinel.conf", "--sentinel"})
  self.url = ("redis+sentinel://127.0.0.1:%d/mine"):format(port)
  until_true(function()
    local said = peer.output(("redis-cli -p %d sentinel replicas mine 2>&1; true"):format(port))
    return said:find("master%-link%-status\nok")
  end, "there is no replica")
  return self
end
