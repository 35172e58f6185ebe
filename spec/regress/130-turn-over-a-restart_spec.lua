-- SPDX-License-Identifier: MIT
-- A server that had been started again passed over the process that was first in line for a lock, if that one had not
-- made a new connection yet when the lock was released: the server took it for dead.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE

describe("a lock on a server that is started again", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("goes to the process that is first in line, though it has not come back yet", function()
    local server <close> = redis_process("--appendonly yes --appendfsync always")
    local function open() return assert(ipc.mutex(server:key("x", nil, "&lease=40"))) end
    local m <close> = open()
    m:acquire()
    local first <close> = contract.waiter(open, PATIENCE)
    local second <close> = contract.waiter(open, PATIENCE)
    first:signal("STOP")
    server:kill()
    server:start()
    assert.same({true}, {m:release()})
    assert.equal(first.pid, m:holder())
    first:signal("CONT")
    assert.same({true}, first.channel:receive(PATIENCE))
    first.channel:send("stop")
    assert.same({true, "abandoned"}, second.channel:receive(PATIENCE)) -- the first has ended with it
    second.channel:send("stop")
  end)
end)
