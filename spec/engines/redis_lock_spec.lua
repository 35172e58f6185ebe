-- SPDX-License-Identifier: MIT
-- Leases: the holder of a lock on a server keeps it while it can say so, and learns when it could not. The connections
-- of some processes go through a proxy that cuts them.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local proxied = require "spec.support.proxied"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local waiting, waiter = waits.waiting, contract.waiter

local redis = engines.redis

describe("a lock on a redis server", function()
  if redis.missing then return pending(redis.missing) end

  local LEASE = redis.lease
  local key, open, open_semaphore
  before_each(function()
    key = redis.key()
    open = function() return assert(ipc.mutex(key)) end
    open_semaphore = function(max) return assert(ipc.semaphore(key, max or 2)) end
  end)
  after_each(redis.cleanup)

  local function cli(command)
    return peer.output(("redis-cli -s %s %s"):format(redis.socket(), command))
  end

  local function through_proxy() return proxied(redis, key) end

  describe("has a number for each holder,", function()
    it("which only grows, over a removal and the loss of all data, too", function()
      local last = 0
      for i = 1, 5 do
        local m <close> = open()
        assert.is_nil(m:token())
        m:acquire()
        local token = m:token()
        assert.equal("integer", math.type(token))
        assert.is_true(token > last)
        last = token
        if i == 2 then m:remove() elseif i == 4 then cli("flushall") else m:release() end
        assert.equal(last, m:token())
      end
    end)

    it("each task its own", function()
      local m <close> = open()
      local tokens = {}
      local function use()
        m:acquire(PATIENCE)
        tokens[#tokens + 1] = m:token()
        ipc.yield()
        m:release()
      end
      ipc.scope(function(scope) for _ = 1, 3 do scope:task(use) end end)
      assert.is_true(tokens[1] < tokens[2] and tokens[2] < tokens[3])
      local child <close> = assert(ipc.process(function(channel)
        local mine = open()
        mine:acquire()
        channel:send(mine:token())
        mine:release()
      end))
      assert.is_true(child.channel:receive(PATIENCE) > tokens[3])
    end)

    it("and other engines have none", function()
      local m <close> = assert(ipc.mutex(ipc.private))
      local token, message, code = m:token()
      assert.is_nil(token)
      assert.equal(95, code, message)
    end)
  end)

  it("has a lease of seconds", function()
    for _, lease in ipairs{0, -1, 0 / 0, 0.009, 86401, math.huge, "1", {}, true} do
      assert.error_matches(function() ipc.mutex(key, {lease = lease}) end, "lease must be from 0.01 to 86400 seconds")
      assert.error_matches(function() ipc.semaphore(key, 1, {lease = lease}) end, "lease must be from")
    end
    local m <close> = assert(ipc.mutex(key, {lease = 0.25}))
    assert.is_true(m:acquire())
    assert.is_true(m:release())
    local other <close> = assert(ipc.mutex(ipc.private, {lease = 5}))
    assert.is_true(other:acquire())
  end)

  it("leaves nothing behind but that it is there", function()
    local m <close> = open()
    local s <close> = open_semaphore()
    for _ = 1, 3 do
      m:acquire()
      local t = waiting(function()
        assert(m:acquire(PATIENCE))
        return m:release()
      end)
      assert.same({true, nil, "timeout"}, {ipc.task(function() return ipc.select({m}, 0.001) end):join(PATIENCE)})
      m:release()
      assert.same({true, true}, {t:join(PATIENCE)})
      s:acquire()
      s:release()
    end
    local names = {}
    for name in cli("keys '*'"):gmatch("[^\n]+") do names[#names + 1] = name:match("[^:]+:[^:]+$") end
    table.sort(names)
    assert.same({"mutex:meta", "semaphore:meta"}, names)
    m:remove()
    s:remove()
    assert.equal("\n", cli("keys '*'"))
  end)

  describe("keeps what it holds", function()
    it("while its lease is renewed", function()
      local m <close> = open()
      local s <close> = open_semaphore(3)
      m:acquire()
      s:acquire()
      s:acquire()
      local token = m:token()
      local child <close> = waiter(open, PATIENCE)
      assert.same({nil, "timeout"}, {child.channel:receive(1.5 * LEASE)})
      assert.equal(1, s:value())
      assert.equal(token, m:token())
      assert.same({true}, {m:release()})
      assert.same({true}, child.channel:receive(PATIENCE))
      assert.same({true, true}, {s:release(), s:release()})
    end)

    it("while Lua is busy #busy #nosan", function()
      local m <close> = open()
      local text = ("redis+unix://%s?name=%s&lease=%d&timeout=%g"):format(redis.socket(), key.name, LEASE, LEASE / 2)
      local child <close> = assert(ipc.process(function(channel)
        local mine = assert(ipc.mutex(ipc.redis_key(text))) -- no answer is read for longer than an answer may take
        mine:acquire()
        channel:send("held")
        local stop, n = ipc.now() + 1.5 * LEASE, 0
        while ipc.now() < stop do n = n + 1 end
        channel:send{mine:release()}
      end))
      assert.equal("held", child.channel:receive(PATIENCE))
      assert.same({true}, {m:acquire(PATIENCE)}) -- not "abandoned"
      assert.same({true}, child.channel:receive(PATIENCE))
    end)

    it("over connections that are cut", function()
      local proxy <close>, cut_key = through_proxy()
      local m <close> = assert(ipc.mutex(cut_key))
      local other <close> = open()
      m:acquire()
      local t = waiting(function() return other:acquire(PATIENCE) end)
      for _ = 1, 6 do
        proxy:ask("cut")
        ipc.sleep(LEASE / 4)
      end
      assert.equal("waiting", t:status())
      assert.same({true}, {m:release()})
      assert.same({true, true}, {t:join(PATIENCE)})
    end)
  end)

  describe("is lost by a holder", function()
    -- One that has lost it, however, and what the next one was told.
    local function check(m, first, release)
      local ok, how = m:acquire(PATIENCE)
      assert.is_true(ok)
      assert.equal("abandoned", how)
      assert.is_true(m:token() > first)
      local mine = m:holder()
      local said = release()
      assert.same({"nil", "expired"}, said)
      assert.equal(mine, m:holder())
      assert.same({true}, {m:release()})
      assert.same({true}, {m:acquire(0)}) -- told once
    end

    it("that stood still for longer than its lease", function()
      local m <close> = open()
      local child <close> = assert(ipc.process(function(channel)
        local mine = open()
        mine:acquire()
        channel:send(mine:token())
        channel:receive()
        local ok, why = mine:release()
        channel:send{ok or "nil", why}
      end))
      local first = child.channel:receive(PATIENCE)
      child:signal("STOP")
      check(m, first, function()
        child:signal("CONT")
        child.channel:send("go")
        return child.channel:receive(PATIENCE)
      end)
    end)

    it("that was cut off for longer than its lease", function()
      local proxy <close>, cut_key = through_proxy()
      local m <close> = open()
      for _, how in ipairs{"refuse", "hold"} do
        local cut_off <close> = assert(ipc.mutex(cut_key))
        cut_off:acquire()
        local first = cut_off:token()
        proxy:ask(how)
        check(m, first, function()
          proxy:ask(how == "refuse" and "accept" or "go")
          local ok, why = cut_off:release()
          return {ok or "nil", why}
        end)
        m:release()
      end
    end)

    it("that has no server any more", function()
      local proxy <close>, cut_key = through_proxy()
      local m <close> = assert(ipc.mutex(cut_key))
      m:acquire()
      proxy:ask("refuse")
      ipc.sleep(LEASE * 1.5)
      assert.same({nil, "expired"}, {m:release()})
      local pid, message = m:holder()
      assert.is_nil(pid)
      assert.matches("redis server", message)
    end)

    it("but not by the task that has got it since", function()
      local proxy <close>, cut_key = through_proxy()
      local m <close> = assert(ipc.mutex(cut_key))
      local stop <close> = assert(ipc.semaphore(ipc.private, 1))
      stop:acquire()
      local t = waiting(function()
        m:acquire()
        stop:acquire(PATIENCE)
        return m:token(), m:release()
      end)
      contract.at_last(redis, true, function() return m:token() ~= nil end)
      proxy:ask("hold")
      ipc.sleep(LEASE * 1.5)
      proxy:ask("go")
      assert.same({true, "abandoned"}, {m:acquire(PATIENCE)})
      local mine, pid = m:token(), m:holder()
      stop:release()
      local _, token, ok, why = t:join(PATIENCE)
      assert.same({nil, "expired"}, {ok, why})
      assert.is_true(token < mine)
      assert.equal(pid, m:holder())
      assert.same({true}, {m:release()})
    end)
  end)
end)
