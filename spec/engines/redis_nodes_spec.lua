-- SPDX-License-Identifier: MIT
-- Servers that are several nodes: hosts that are tried in turn, a master that sentinels know, and a cluster.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local ports = require "spec.support.ports"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local EACCES <const>, EROFS <const>, EREMOTE <const>, ECONNREFUSED <const>, EHOSTUNREACH <const> = 13, 30, 66, 111, 113

local function at_last(call, ...)
  local deadline = ipc.now() + 3 * PATIENCE
  while true do
    local results = table.pack(call(...))
    if results[1] then return table.unpack(results, 1, results.n) end
    assert.is_true(ipc.now() < deadline, results[2])
    ipc.sleep(0.01)
  end
end

local function node(port, options)
  return redis_process(("--bind 127.0.0.1 --repl-diskless-sync-delay 0 --port %d %s"):format(port, options or ""))
end

describe("a redis key of several hosts", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("passes over those that are not there, and replicas", function()
    local nobody, first, second = ports(3)
    local master <close> = node(first)
    local replica <close> = node(second, "--replicaof 127.0.0.1 " .. first)
    local url = "redis://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d/n"
    local q <close> = assert(ipc.queue(url:format(nobody, second, first)))
    assert.is_true(q:send(1, "x"))
    assert.equal("1", master:cli("exists ipclua:{n}:queue:meta"))
    local none, message, code = ipc.queue(("redis://127.0.0.1:%d,127.0.0.1:%d/n"):format(nobody, second))
    assert.same({nil, EROFS}, {none, code}, message)
    replica:kill()
    none, message, code = ipc.queue(("redis://127.0.0.1:%d,127.0.0.1:%d/n"):format(nobody, second))
    assert.same({nil, ECONNREFUSED}, {none, code}, message)
  end)

  it("goes on with another one when its server ends", function()
    local first, second = ports(2)
    local master <close> = node(first)
    local replica <close> = node(second, "--replicaof 127.0.0.1 " .. first)
    local q <close> = assert(ipc.queue(("redis://127.0.0.1:%d,127.0.0.1:%d/n"):format(first, second)))
    local receives = waits.waiting(q.receive, q, 0, 2 * PATIENCE)
    assert.equal(0, #q)
    at_last(function() return replica:cli("exists ipclua:{n}:queue:meta") == "1" end)
    master:kill()
    replica:cli("replicaof no one")
    at_last(q.send, q, 1, "x")
    assert.same({true, "x", 1}, {receives:join(2 * PATIENCE)})
  end)
end)

describe("a redis key of sentinels", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  local folder, sentinel, port, first, second, nobody, master, replica

  local function start_sentinel(more)
    local file <close> = assert(io.open(folder .. "/sentinel.conf", "w"))
    file:write(("port %d\nbind 127.0.0.1\ndir %s\nlogfile /dev/null\n%s"):format(port, folder, more or ""),
      ("sentinel monitor mine 127.0.0.1 %d 1\n"):format(first),
      "sentinel down-after-milliseconds mine 300\nsentinel failover-timeout mine 2000\n")
    file:close()
    sentinel = assert(ipc.process{"redis-server", folder .. "/sentinel.conf", "--sentinel"})
  end
  local function ask(command)
    return peer.output(("redis-cli -p %d %s 2>&1; true"):format(port, command))
  end

  before_each(function()
    folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    port, first, second, nobody = ports(4)
    master = node(first)
  end)
  after_each(function()
    if sentinel then
      sentinel:signal("KILL")
      sentinel:close()
    end
    master:close()
    if replica then replica:close() end
    sentinel, replica = nil, nil
    os.execute("rm -rf " .. folder)
  end)

  it("follows a failover", function()
    replica = node(second, "--replicaof 127.0.0.1 " .. first)
    start_sentinel()
    at_last(function() return ask("sentinel replicas mine"):find("master%-link%-status\nok") end)
    local q <close> = assert(ipc.queue(("redis+sentinel://127.0.0.1:%d,127.0.0.1:%d/mine/n"):format(nobody, port)))
    local receives = waits.waiting(function()
      return at_last(function() return q:receive(2, PATIENCE) end) -- a failover may take longer than patience
    end)
    assert.is_true(q:send(1, "before"))
    at_last(function() return replica:cli("hgetall ipclua:{n}:queue:meta"):find("before", 1, true) end)
    master:kill()
    at_last(q.send, q, 2, "after")
    assert.same({true, "after", 2}, {receives:join(3 * PATIENCE)})
    assert.equal("before", (q:receive(1, PATIENCE)))
    assert.matches("master", replica:cli("role"))
  end)

  it("says what is wrong: no such master, no sentinel, nothing there", function()
    start_sentinel()
    at_last(function() return ask("ping"):find("PONG") end)
    local none, message, code = ipc.queue(("redis+sentinel://127.0.0.1:%d/other/n"):format(port))
    assert.same({nil, EHOSTUNREACH}, {none, code}, message)
    assert.matches("redis sentinel 127.0.0.1:" .. port, message)
    none, message, code = ipc.queue(("redis+sentinel://127.0.0.1:%d/mine/n"):format(nobody))
    assert.same({nil, ECONNREFUSED}, {none, code}, message)
    assert.is_nil((ipc.queue(("redis+sentinel://127.0.0.1:%d/mine/n"):format(first))))
    none, message = ipc.queue(("redis://127.0.0.1:%d/n"):format(port))
    assert.is_nil(none)
    assert.matches("sentinel", message)
  end)

  it("gives the password to sentinels that want it", function()
    master:cli("config set requirepass secret")
    start_sentinel("requirepass secret\n")
    at_last(function() return ask("-a secret ping"):find("PONG") end)
    local url = "redis+sentinel://%s127.0.0.1:%d/mine/n"
    local q <close> = assert(ipc.queue(url:format(":secret@", port)))
    assert.is_true(q:send(1, "x"))
    local none, message, code = ipc.queue(url:format("", port))
    assert.same({nil, EACCES}, {none, code}, message)
    none, message, code = ipc.queue(url:format(":wrong-word@", port))
    assert.same({nil, EACCES}, {none, code}, message)
    assert.not_matches("wrong%-word", message)
  end)
end)

describe("a redis key of a node of a cluster", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("is followed to the node that has the object, once", function()
    local first, second = ports(2)
    local options = "--cluster-enabled yes --cluster-node-timeout 2000 --cluster-port %d"
    local extra = table.pack(ports(2))
    local a <close> = node(first, options:format(extra[1]))
    local b <close> = node(second, options:format(extra[2]))
    a:cli("cluster addslotsrange 0 8191")
    b:cli("cluster addslotsrange 8192 16383")
    a:cli(("cluster meet 127.0.0.1 %d %d"):format(second, extra[2]))
    for _, one in ipairs{a, b} do at_last(function() return one:cli("cluster info"):find("state:ok") end) end
    local of_a, of_b
    for i = 1, 100 do
      local slot = tonumber(a:cli(("cluster keyslot x%d"):format(i)))
      if slot < 8192 then of_a = of_a or "x" .. i else of_b = of_b or "x" .. i end
      if of_a and of_b then break end
    end
    local url = "redis://127.0.0.1:%d/%s"
    local q <close> = assert(ipc.queue(url:format(first, of_b)))
    for i = 1, 3 do assert.is_true(q:send(1, i)) end
    local receives = waits.waiting(q.receive, q, 2, PATIENCE)
    local m <close> = assert(ipc.mutex(url:format(first, of_b)))
    assert.is_true(m:acquire(PATIENCE))
    assert.is_true(q:send(2, "x"))
    assert.same({true, "x", 2}, {receives:join(PATIENCE)})
    local none, message, code = ipc.queue(url:format(first, of_a)) -- the connection is to the other node
    assert.same({nil, EREMOTE}, {none, code}, message)
    assert.matches("MOVED.*URL", message)
    local direct <close> = assert(ipc.queue(url:format(second, of_a))) -- another URL, so another connection
    assert.is_true(direct:send(1, "y"))
    b:cut()
    assert.equal(1, (q:receive(1, PATIENCE))) -- from the URL's host on
  end)
end)
