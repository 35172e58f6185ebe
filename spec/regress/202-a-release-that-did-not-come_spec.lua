-- SPDX-License-Identifier: MIT
-- A release that a server did not get, and that was not answered for longer than the lease, was taken for done. But the
-- beats of the handle had come there, so the server kept what nobody held any more, as long as the handle lived: a
-- permit was missing, or a mutex was held for ever.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_liar = require "spec.support.redis_liar"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE

describe("a lock whose release did not come to the server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  local server, liar
  lazy_setup(function()
    server = redis_process()
    liar = redis_liar(server)
  end)
  lazy_teardown(function()
    liar:close()
    server:close()
  end)

  it("is free when the connection is back: a semaphore", function()
    local lock <close> = assert(ipc.semaphore(server:key("permits", liar.path, "&lease=1&timeout=2"), 3))
    local other <close> = assert(ipc.semaphore(server:key("permits"), 3))
    assert(lock:acquire())
    local held = ipc.task(function()
      assert(lock:acquire())
      ipc.sleep(1000)
    end):detach()
    while lock:value() ~= 1 do ipc.yield() end
    liar:ask("swallow release")
    local ok, why = lock:release()
    liar:ask("go")
    assert.same({nil, "expired"}, {ok, why})
    assert.is_true(other:acquire(PATIENCE))
    assert.is_true(other:acquire(PATIENCE))
    held:close()
  end)

  it("is free when the connection is back: a mutex", function()
    local lock <close> = assert(ipc.mutex(server:key("mutex", liar.path, "&lease=1&timeout=2")))
    local other <close> = assert(ipc.mutex(server:key("mutex")))
    assert(lock:acquire())
    local waits_too = ipc.task(function() return lock:acquire() end)
    while waits_too:status() ~= "waiting" do ipc.yield() end
    liar:ask("swallow release")
    lock:release()
    liar:ask("go")
    local done, ok = waits_too:join(PATIENCE)
    assert.same({true, true}, {done, ok})
    assert.is_true(other:acquire(PATIENCE)) -- the task has ended, and given it back
  end)
end)
