-- SPDX-License-Identifier: MIT
-- A server that became a replica, loaded its data or was busy was asked the same again over the same connection,
-- or not at all; a release that it refused could not be repeated, and the next holder was told "abandoned"; a
-- grant that came after its lease was over was taken for one.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE, EROFS <const> = waits.PATIENCE, 30

describe("a server that refuses for now", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  local server
  lazy_setup(function() server = redis_process() end)
  lazy_teardown(function()
    server:close()
    peer.clean()
  end)

  it("is asked again, over a new connection", function()
    local q <close> = assert(ipc.queue(server:key("again")))
    q:send(1, "x")
    server:cli("replicaof 127.0.0.1 1")
    local _, message, code = q:send(1, "y", 0)
    assert.same({nil, EROFS}, {_, code}, message)
    local sends = waits.waiting(function() return q:send(1, "y", PATIENCE) end)
    server:cli("replicaof no one")
    assert.same({true, true}, {sends:join(PATIENCE)})
    assert.equal("x", (q:receive(0, PATIENCE)))
    assert.equal("y", (q:receive(0, PATIENCE)))
  end)

  it("can be asked to take a lock back once more", function()
    local m <close> = assert(ipc.mutex(server:key("back")))
    local next_one <close> = assert(ipc.mutex(server:key("back")))
    m:acquire()
    server:cli("replicaof 127.0.0.1 1")
    local _, message, code = m:release()
    assert.same({nil, EROFS}, {_, code}, message)
    server:cli("replicaof no one")
    local ok
    repeat ok = m:release() until ok -- the connection may be the old one
    assert.same({true}, {next_one:acquire(PATIENCE)})
  end)

  it("does not make an end of a task a death, if it had released", function()
    local m <close> = assert(ipc.mutex(server:key("end")))
    local refused = ipc.task(function()
      m:acquire()
      server:cli("replicaof 127.0.0.1 1")
      local ok = m:release()
      server:cli("replicaof no one")
      return ok
    end)
    assert.same({true, nil}, {refused:join(PATIENCE)})
    assert.same({true}, {m:acquire(PATIENCE)})
  end)

  it("answers too late: the lease is over, and it is asked again", function()
    local path = os.tmpname()
    os.remove(path)
    local proxy <close> = peer.start("proxy.py", path, server.folder .. "/socket")
    local m <close> = assert(ipc.mutex(server:key("late", path, "&lease=0.2")))
    local direct <close> = assert(ipc.mutex(server:key("late")))
    assert.is_true(m:acquire())
    local first = m:token()
    assert.is_true(m:release())
    proxy:ask("deafen")
    local late = waits.waiting(function()
      local ok = m:acquire(PATIENCE)
      return ok, m:token()
    end)
    contract.at_last(engines.redis, ipc.pid(), direct.holder, direct)
    contract.at_last(engines.redis, nil, direct.holder, direct)
    assert.is_true(direct:acquire(PATIENCE)) -- as it is free
    local between = direct:token()
    proxy:ask("go")
    assert.is_true(direct:release())
    local _, ok, token = late:join(PATIENCE)
    assert.is_true(ok)
    assert.is_true(first < between and between < token)
  end)
end)
