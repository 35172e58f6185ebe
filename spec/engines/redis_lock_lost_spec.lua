-- SPDX-License-Identifier: MIT
-- A holder on a server can wait until its lease is over.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local proxied = require "spec.support.proxied"
local waits = require "spec.support.waits"

local PATIENCE <const>, ENOTSUP <const> = waits.PATIENCE, 95

local redis = engines.redis

describe("a lock", function()
  if redis.missing then return pending(redis.missing) end

  local key
  before_each(function() key = redis.key() end)
  after_each(redis.cleanup)

  local NOUNS <const> = {
    mutex = {1, function(k) return assert(ipc.mutex(k)) end},
    semaphore = {2, function(k) return assert(ipc.semaphore(k, 2)) end},
  }

  for noun, how_to in pairs(NOUNS) do
    local permits, open = table.unpack(how_to)
    it("(" .. noun .. ") on a server is lost when its process is cut off", function()
      local proxy <close>, cut_key = proxied(redis, key)
      local lock <close> = open(cut_key)
      for _, how in ipairs{"refuse", "hold"} do
        assert.is_true(lock:acquire(PATIENCE))
        assert.same({nil, "timeout"}, {lock:lost(0)})
        assert.same({nil, "timeout"}, {ipc.select({{lock, "lost"}, {lock, "lost"}}, 0.01)})
        proxy:ask(how)
        assert.same({"lost", true}, {ipc.select({lost = {lock, "lost"}, never = ipc.timer(PATIENCE)})})
        assert.is_true(lock:lost(0))
        local others <close> = open(key)
        for _ = 1, permits do assert.is_true(others:acquire(PATIENCE)) end
        proxy:ask(how == "refuse" and "accept" or "go")
        assert.same({nil, "expired"}, {lock:release()})
      end
    end)

    it("(" .. noun .. ") on a server is not lost while its lease is kept", function()
      local lock <close> = open(key)
      lock:acquire()
      assert.same({nil, "timeout"}, {lock:lost(2.5 * redis.lease)})
      assert.is_true(lock:release())
    end)
  end

  it("on a server is lost when its process was stopped, and when it is removed", function()
    local child <close> = assert(ipc.process(function(channel)
      local mine = assert(ipc.mutex(key))
      mine:acquire()
      channel:send("held")
      channel:send{mine:lost(PATIENCE)}
      mine:release()
      mine:acquire(PATIENCE)
      channel:send("held")
      local lost, why = mine:lost(PATIENCE)
      channel:send{lost or "nil", why}
    end))
    local m <close> = assert(ipc.mutex(key))
    assert.equal("held", child.channel:receive(PATIENCE))
    child:signal("STOP")
    assert.same({true, "abandoned"}, {m:acquire(PATIENCE)})
    child:signal("CONT")
    assert.same({true}, child.channel:receive(PATIENCE))
    m:release()
    assert.equal("held", child.channel:receive(PATIENCE))
    m:remove()
    assert.same({"nil", "removed"}, child.channel:receive(PATIENCE))
  end)

  it("on a server says when its handle is closed, and raises without a hold", function()
    local m <close> = assert(ipc.mutex(key))
    assert.error_matches(function() m:lost() end, "mutex .* is not held by this task")
    local other = assert(ipc.mutex(key))
    local t = waits.waiting(function()
      other:acquire()
      return other:lost()
    end)
    repeat ipc.sleep(0.01) until m:holder()
    other:close()
    assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
  end)

  it("on other engines has no tokens", function()
    local m <close> = assert(ipc.mutex(ipc.private))
    assert.same({nil, "mutex private has no tokens: only that of a Redis key has", ENOTSUP}, {m:token()})
  end)
end)
