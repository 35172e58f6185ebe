-- SPDX-License-Identifier: MIT
-- Semaphores and mutexes of file keys against others: PHP's sem_get, Python's sysv_ipc, C's semop.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local peer = require "spec.support.peer"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local PATIENCE, waiting, holder, told = waits.PATIENCE, waits.waiting, contract.holder, contract.told
local TIMEOUT = {nil, "timeout"}
local EEXIST, EINVAL = 17, 22

local sysv = engines.sysv

describe("System V:", function()
  if sysv.missing then return pending(sysv.missing) end

  local key, id
  before_each(function()
    key = sysv.key()
    id = tostring(key.id)
  end)
  after_each(sysv.cleanup)
  teardown(peer.clean)

  local function open(max) return assert(ipc.semaphore(key, max or 2)) end

  local function members()
    local pipe = assert(io.popen("ipcs -s"))
    local text = pipe:read("a")
    pipe:close()
    return tonumber(text:match(("0x%08x%%s+%%S+%%s+%%S+%%s+%%S+%%s+(%%d+)"):format(key.id & 0xffffffff)))
  end

  local peers = {
    PHP = function(max) return peer.start("semaphore.php", id, max or 2) end,
    Python = function() return peer.start("semaphore.py", id) end,
    C = function() return peer.start("semaphore.c", id) end,
  }

  for name, start in pairs(peers) do
    describe("a semaphore that is shared with " .. name, function()
      it("has the same permits", function()
        local s <close> = open()
        local other <close> = start()
        assert.equal(2, s:value())
        assert.equal("held", other:ask("try"))
        assert.equal(1, s:value())
        assert.same({true}, {s:acquire(0)})
        assert.same(TIMEOUT, {s:acquire(0)})
        assert.equal("busy", other:ask("try"))
        s:release()
        assert.equal("held", other:ask("try"))
        assert.equal(0, s:value())
        assert.equal("free", other:ask("release"))
        assert.equal("free", other:ask("release"))
        assert.equal(2, s:value())
      end)

      it("is waited for by one and released by the other", function()
        local s <close> = open()
        local other <close> = start()
        s:acquire()
        s:acquire()
        assert.equal("waiting", other:ask("acquire"))
        assert.same(TIMEOUT, {other:hear(0.01)})
        s:release()
        assert.equal("held", other:hear())
        local t = waiting(function() return s:acquire(PATIENCE) end)
        assert.same(TIMEOUT, {t:join(0.005)})
        assert.equal("free", other:ask("release"))
        assert.same({true, true}, {t:join(PATIENCE)})
        assert.equal(0, s:value())
      end)

      it("gets back what either held that was killed", function()
        local s <close> = open()
        local other = start()
        assert.equal("held", other:ask("try"))
        assert.equal("held", other:ask("try"))
        local t = waiting(function() return s:acquire(PATIENCE) end)
        other:kill()
        assert.same({true, true}, {t:join(PATIENCE)})
        assert.equal(1, s:value())
        s:release()
        local child = holder(open, 2)
        local third <close> = start()
        assert.equal("waiting", third:ask("acquire"))
        child:signal("KILL")
        assert.equal("held", third:hear())
        child:wait()
        assert.equal(1, s:value())
      end)
    end)
  end

  describe("a set that PHP made", function()
    it("is joined by us", function()
      local php <close> = peers.PHP(3)
      assert.equal(3, members())
      assert.equal("held", php:ask("try"))
      local s <close> = open(3)
      assert.equal(2, s:value())
      assert.same({true}, {s:acquire(0)})
      assert.equal("held", php:ask("try"))
      assert.equal("busy", php:ask("try"))
      assert.same(TIMEOUT, {s:acquire(0)})
      local t = waiting(function() return s:acquire(PATIENCE) end)
      php:kill()
      assert.same({true, true}, {t:join(PATIENCE)})
      assert.equal(1, s:value())
    end)

    it("has the max of its first user, as among PHP programs", function()
      local php = peers.PHP(3)
      local s <close> = open(5)
      assert.equal(3, s:value())
      php:close()
      assert.equal(3, s:value())
      s:close()
      local new <close> = open(4)
      assert.equal(4, new:value())
      local again <close> = peers.PHP(1)
      assert.equal("held", again:ask("try"))
      assert.equal(3, new:value())
    end)
  end)

  describe("a set that we made", function()
    it("takes no other max from PHP while it is in use", function()
      local s <close> = open(2)
      assert.equal(5, members())
      local php <close> = peers.PHP(7)
      assert.equal(2, s:value())
      assert.equal("held", php:ask("try"))
      assert.equal(1, s:value())
    end)

    it("is filled with PHP's max when it is not in use, and put right by the next of us that is alone", function()
      open(2):close()
      local php = peers.PHP(7)
      do
        local s <close> = open(2)
        assert.equal(7, s:value())
        php:close()
      end
      local s <close> = open(2)
      assert.equal(2, s:value())
      local _, message, code = ipc.semaphore(key, 7)
      assert.equal(EEXIST, code, message)
    end)

    it("is not filled again while a process that is no user holds a permit", function()
      local s = open(2)
      local c <close> = peers.C()
      assert.equal("held", c:ask("try"))
      s:close()
      local new <close> = open(2)
      assert.equal(1, new:value())
      assert.equal("free", c:ask("release"))
      assert.equal(2, new:value())
    end)
  end)

  it("a set of one member, as sysv_ipc makes it, is refused", function()
    local python <close> = peer.start("semaphore.py", id, "make")
    assert.equal("held", python:ask("try"))
    for _, noun in ipairs{"semaphore", "mutex"} do
      local s, message, code = ipc[noun](key, noun == "semaphore" and 2 or nil)
      assert.is_nil(s)
      assert.matches("was made by another program for another purpose", message)
      assert.equal(EINVAL, code)
    end
  end)

  describe("a mutex", function()
    local function mutex() return assert(ipc.mutex(key)) end

    it("is a semaphore with a max of 1, and of no other", function()
      local s <close> = open(2)
      local m, message, code = ipc.mutex(key)
      assert.is_nil(m)
      assert.matches("is a semaphore with a max of 2", message)
      assert.equal(EEXIST, code)
      s:remove()
      local one <close> = mutex()
      assert.equal(EEXIST, (select(3, ipc.semaphore(key, 2))))
      one:acquire()
    end)

    it("tells of a death though a thread took it for one that has gone meanwhile", function()
      local m <close> = mutex()
      local other = assert(ipc.semaphore(sysv.key(), 1))
      other:acquire()
      local child = holder(mutex)
      local t = waiting(function() return ipc.select({m, other}, PATIENCE) end)
      ipc.sleep(0.005) -- time for the thread to sleep in the kernel
      child:signal("KILL")
      local deadline = ipc.now() + PATIENCE
      while m:holder() == child.pid or not m:holder() do -- until the thread has it; to wait would be to hear of it
        assert.is_true(ipc.now() < deadline)
      end
      other:close()
      assert.same({true, 2, nil, "closed"}, {t:join(PATIENCE)})
      child:wait()
      assert.equal("abandoned, nothing", told(m))
    end)

    it("is held by PHP like by others, and its death is told to none", function()
      local m <close> = mutex()
      local php = peers.PHP(1)
      assert.equal("held", php:ask("try"))
      assert.equal(php.pid, m:holder())
      assert.same(TIMEOUT, {m:acquire(0)})
      local t = waiting(function()
        local got = {m:acquire(PATIENCE)}
        m:release()
        return got
      end)
      php:kill()
      assert.same({true, {true}}, {t:join(PATIENCE)})
      assert.equal("nothing, nothing", told(m))
    end)

    it("tells of a death to the next of us, though PHP came in between", function()
      local m <close> = mutex()
      local php <close> = peers.PHP(1)
      local child = holder(mutex)
      child:signal("KILL")
      child:wait()
      assert.equal("held", php:ask("try"))
      assert.equal("free", php:ask("release"))
      assert.equal("abandoned, nothing", told(m))
    end)

    it("that PHP made has no room for the mark", function()
      local php <close> = peers.PHP(1)
      local m <close> = mutex()
      assert.equal(3, members())
      local child = holder(mutex)
      assert.equal("busy", php:ask("try"))
      assert.equal("waiting", php:ask("acquire"))
      child:signal("KILL")
      assert.equal("held", php:hear())
      child:wait()
      assert.equal("free", php:ask("release"))
      assert.equal("nothing, nothing", told(m))
    end)
  end)
end)
