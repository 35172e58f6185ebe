-- SPDX-License-Identifier: MIT
-- A lock whose lease was over still said "held" in its text form, until it was released: a program that was told by
-- lost() and logged the mutex read that it had it.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local proxied = require "spec.support.proxied"
local waits = require "spec.support.waits"

local redis = engines.redis

describe("the text of a lock on a server", function()
  if redis.missing then return pending(redis.missing) end

  after_each(redis.cleanup)

  local function state_of(lock) return tostring(lock):match(", ([%w ]+)%)$") end

  it("says that it is lost, once its lease is over", function()
    local proxy <close>, key = proxied(redis, redis.key())
    local lock <close> = assert(ipc.mutex(key))
    assert.equal("not held", state_of(lock))
    assert.is_true(lock:acquire(waits.PATIENCE))
    assert.equal("held", state_of(lock))
    proxy:ask("refuse")
    assert.is_true(lock:lost(waits.PATIENCE))
    assert.equal("lost", state_of(lock))
    proxy:ask("accept")
    lock:release()
    assert.equal("not held", state_of(lock))
    assert.is_true(lock:acquire(waits.PATIENCE))
    assert.equal("held", state_of(lock))
  end)

  it("counts the permits that are not lost", function()
    local lock <close> = assert(ipc.semaphore(redis.key(), 3))
    assert.is_true(lock:acquire(waits.PATIENCE))
    assert.is_true(lock:acquire(waits.PATIENCE))
    assert.equal("held 2 times", state_of(lock))
    lock:close()
    assert.equal("closed", state_of(lock))
  end)
end)
