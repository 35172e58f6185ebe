-- SPDX-License-Identifier: MIT
-- Redis servers of a spec's own, to be stopped, killed and started again; each at a socket, with options:
--   local server <close> = redis_process("--appendonly yes --appendfsync always")
--   server:key("jobs")  server:cli("INFO memory")  server:kill()  server:start()  server:signal("STOP")

local ipc = require "ipc"
local assert = require "luassert"
local shell = require "spec.support.shell"

local PATIENCE = 20
local server = {}
server.__index = server

-- What redis-cli prints.
function server:cli(command)
  return (shell.output(("redis-cli -s %s/socket %s 2>&1"):format(self.folder, command)):gsub("%s+$", ""))
end

function server:start()
  self.child = assert(ipc.process{"redis-server", "--port", "0", "--unixsocket", self.folder .. "/socket",
    "--dir", self.folder, "--save", "", "--logfile", "/dev/null", table.unpack(self.options)})
  local deadline = ipc.now() + PATIENCE
  while self:cli("PING") ~= "PONG" do
    assert.is_true(ipc.now() < deadline, "redis-server does not start")
    ipc.sleep(0.02)
  end
end

function server:signal(name)
  assert(self.child:signal(name))
end

-- Cuts all connections.
function server:cut()
  self:cli("client kill type normal")
  self:cli("client kill type pubsub")
end

-- From now on nothing that may change anything is answered.
function server:pause() assert.equal("OK", self:cli("client pause 100000 write")) end
function server:unpause() self:cli("client unpause") end

-- Waits until a request has come while it pauses.
function server:blocked()
  local deadline = ipc.now() + PATIENCE
  while self:cli("info clients"):match("blocked_clients:(%d+)") == "0" do
    assert.is_true(ipc.now() < deadline, "no request has come")
    ipc.sleep(0.005)
  end
end

-- Loses what it has not written.
function server:kill()
  if not self.child then return end
  self:signal("KILL")
  self.child:wait(PATIENCE)
  self.child = nil
end

-- The text of a key; at another socket, if it is reached through a proxy.
function server:text(name, socket, more)
  return ("redis+unix://%s?name=%s%s"):format(socket or self.folder .. "/socket", name, more or "")
end

function server:key(name, socket, more)
  return assert(ipc.redis_key(self:text(name, socket, more)))
end

function server:close()
  if not self.folder then return end
  self:kill()
  os.execute("rm -rf " .. self.folder)
  self.folder = nil
end

server.__close = server.close

return function(options)
  local folder = os.tmpname()
  os.remove(folder)
  assert(os.execute("mkdir " .. folder))
  local words = {}
  for word in (options or ""):gmatch("%S+") do words[#words + 1] = word end
  local self = setmetatable({folder = folder, options = words}, server)
  self:start()
  return self
end
