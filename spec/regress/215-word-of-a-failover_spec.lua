-- SPDX-License-Identifier: MIT
-- A process heard of a failover only when its master was lost. A master that lived on kept its connections, and what
-- waited there. Now the connection to the sentinel stays open, and says where the master is (+switch-master).

local ipc = require "ipc"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local ports = require "spec.support.ports"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local EPROTO <const>, ECONNREFUSED <const> = 71, 111

describe("a failover by sentinels", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("moves calls and waits at once, though the old master lives on", function()
    local a, b, first, second = ports(4)
    local one <close> = redis_process(("--bind 127.0.0.1 --port %d"):format(first))
    local two <close> = redis_process(("--bind 127.0.0.1 --port %d"):format(second))
    local sentinels <close> = peer.start("redis_sentinel.py", first, a, b)
    local function arrives(server)
      local deadline = ipc.now() + PATIENCE
      repeat ipc.sleep(0.01) until server:cli("pubsub channels"):find("{n}", 1, true) or ipc.now() > deadline
      assert.truthy(server:cli("client list"):find("name=ipclua", 1, true))
    end
    local data <close> = assert(ipc.shared_data(("redis+sentinel://127.0.0.1:%d,127.0.0.1:%d/mine/n"):format(a, b)))
    assert.truthy(data:set("x", 1))
    local function wait() -- what the other server has is another object
      return waits.waiting(data.wait, data, "y", 0, 2 * PATIENCE)
    end
    local ends = wait()
    arrives(one)
    sentinels:ask("listens " .. a)
    sentinels:ask("switch " .. second)
    assert.same({true, nil, "removed"}, {ends:join(PATIENCE)})
    assert.is_nil(one:cli("client list"):find("name=ipclua", 1, true))

    data:close()
    local other <close> = assert(ipc.shared_data(("redis+sentinel://127.0.0.1:%d,127.0.0.1:%d/mine/n"):format(a, b)))
    assert.equal("1", two:cli("exists ipclua:{n}:data:values"))
    sentinels:ask("listens " .. a)
    sentinels:ask("end " .. a)
    sentinels:ask("listens " .. b) -- another sentinel is found, though nothing is the matter with the master
    sentinels:ask("switch " .. first)
    local deadline = ipc.now() + PATIENCE
    repeat
      local value = other:get("x")
      assert.is_true(ipc.now() < deadline)
    until value == nil
    repeat
      assert.is_true(ipc.now() < deadline)
      ipc.sleep(0.01)
    until one:cli("client list"):find("name=ipclua", 1, true)
  end)

  it("says what is wrong with a sentinel that names nonsense", function()
    local a, port = ports(2)
    local sentinels <close> = peer.start("redis_sentinel.py", "99999", a)
    local url = ("redis+sentinel://127.0.0.1:%d/mine/n?timeout=%d"):format(a, PATIENCE)
    local none, message, code = ipc.queue(url)
    assert.same({nil, EPROTO}, {none, code}, message)
    assert.matches("redis sentinel 127.0.0.1:" .. a .. ": .*no address", message)
    sentinels:ask("switch " .. port)
    none, message, code = ipc.queue(url)
    assert.same({nil, ECONNREFUSED}, {none, code}, message)
  end)
end)
