-- SPDX-License-Identifier: MIT
-- A process dies before every single store that it makes with a mutex or a semaphore in shared memory: permits are
-- back, the next one is told once, and the waiters are woken. `make points` runs this.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local points = require "spec.support.points"
local segment = require "spec.support.segment"

local PATIENCE <const> = points.PATIENCE
local shm = engines.shm

describe("a process that dies at a store, with a lock", function()
  if points.missing then return pending(points.missing) end

  local key
  local function mutex() return assert(ipc.mutex(key)) end
  local function semaphore() return assert(ipc.semaphore(key, 2)) end
  local function held(open)
    return function()
      local lock = open()
      assert(lock:acquire(0))
      return lock
    end
  end
  before_each(function() key = shm.key() end)
  after_each(shm.cleanup)

  local function acquire(lock) return lock:acquire(0) end
  local function release(lock) return lock:release() end
  local function wait(lock) return lock:acquire(PATIENCE) end

  -- The next is told if it died with the mutex, and only that one.
  local function told_once(m, before)
    local first = table.pack(m:acquire(PATIENCE))
    assert.is_true(first[1])
    assert.equal(before, first[2])
    m:release()
    assert.same({true}, {m:acquire(0)})
    m:release()
    points.sound("mutex", key, function() m:holder() end)
  end

  for what, case in pairs{acquiring = {mutex, acquire}, releasing = {held(mutex), release}} do
    it("tells the next one once, if it has died with the mutex: " .. what, function()
      local m, seen = mutex(), {}
      points.each{
        open = case[1], act = case[2],
        after = function()
          local p = segment.permits(segment.read("mutex", key))
          local word = (p.holders[1] or p.abandoned == 1) and "abandoned" or nil
          seen[word or "nothing"] = true
          told_once(m, word)
        end,
      }
      assert.is_true(seen.abandoned and seen.nothing)
    end)
  end

  it("tells the next one once, if it found out that another one had died", function()
    local m = mutex()
    points.each{
      before = function() points.run(0, mutex, acquire) end,
      open = mutex, act = acquire,
      after = function() told_once(m, "abandoned") end,
    }
    points.each{
      before = function() points.run(0, mutex, acquire) end,
      open = mutex, act = function(lock) lock:holder() end,
      after = function() told_once(m, "abandoned") end,
    }
  end)

  it("wakes the waiters of the mutex", function()
    local m, waiter = mutex(), nil
    local seen = {}
    for _, act in ipairs{release, function() os.exit(true, false) end} do
      local function after()
        local ok, how = points.result(waiter)
        assert.is_true(ok)
        seen[how or "nothing"] = true
        assert.is_true(how == nil or how == "abandoned", how)
        waiter:close() -- with the mutex
        told_once(m, "abandoned")
      end
      -- the holder lets the waiter come, and goes on
      local n, survived = 0, nil
      repeat
        n = n + 1
        local go <close>, inner = ipc.stream_channel_pair()
        local holder = ipc.task(function()
          survived = points.run(n, held(mutex), function(lock)
            inner:send("held")
            inner:receive()
            return act(lock)
          end)
        end)
        assert.equal("held", go:receive(PATIENCE))
        waiter = points.waiter("mutex", key, mutex, wait)
        go:send("go on")
        if act == release then holder:join() else pcall(holder.join, holder) end
        after()
      until survived or act ~= release
    end
    assert.is_true(seen.abandoned and seen.nothing)
  end)

  it("lets waiters go on that came in the middle of it", function()
    local m, waiter = mutex(), nil
    local function come() waiter = points.waiter("mutex", key, mutex, wait) end
    for _, case in ipairs{{mutex, acquire}, {held(mutex), release}} do
      points.each{
        open = case[1], act = case[2], meanwhile = come,
        after = function()
          if not waiter then come() end
          assert.is_true(points.result(waiter))
          waiter:close() -- with the mutex
          waiter = nil
          told_once(m, "abandoned")
        end,
      }
    end
  end)

  -- The first of two waiters dies: on its way to sleep, while it sleeps, or between its call and what it takes then.
  for noun, open in pairs{mutex = mutex, semaphore = semaphore} do
    it("passes its turn on, if it dies as a waiter: " .. noun, function()
      local lock = open()
      local most = noun == "mutex" and 1 or 2
      local n, survived = 0, nil
      repeat
        n = n + 1
        for _ = 1, most do assert(lock:acquire(PATIENCE)) end
        local started, starts = ipc.stream_channel_pair()
        local first = ipc.task(function()
          survived = points.run(n, function()
            local own = open()
            starts:send(ipc.pid())
            return own
          end, function(own)
            assert(own:acquire(PATIENCE))
          end)
        end)
        local pid = started:receive(PATIENCE)
        points.await_sleep(noun, key, pid)
        local second <close> = points.waiter(noun, key, open, wait)
        points.await_sleep(noun, key, second.pid)
        lock:release()
        first:join()
        assert.is_true(points.result(second))
        for _ = 2, most do lock:release() end
        started:close()
        starts:close()
        second:close()
        assert.is_nil(segment.waiters(noun, key)[second.pid])
        points.sound(noun, key, function() return (lock.value or lock.holder)(lock) end)
      until survived
      assert.is_true(n > 10, "there is no point")
    end)
  end

  it("gives a semaphore's permits back, and wakes all waiters", function()
    local s = semaphore()
    for _, act in ipairs{acquire, release} do
      points.each{
        open = act == acquire and semaphore or held(semaphore), act = act,
        after = function()
          assert.equal(2, s:value())
          assert.same({true}, {s:acquire(0)})
          assert.same({true}, {s:acquire(0)})
          assert.is_true(s:release() and s:release())
          points.sound("semaphore", key, function() s:value() end)
        end,
      }
    end
    local n, survived = 0, nil
    repeat
      n = n + 1
      local go <close>, inner = ipc.stream_channel_pair()
      local holder = ipc.task(function()
        survived = points.run(n, function()
          local own = semaphore()
          assert(own:acquire(0) and own:acquire(0))
          return own
        end, function(own)
          inner:send("held")
          inner:receive()
          own:release()
          own:release()
        end)
      end)
      assert.equal("held", go:receive(PATIENCE))
      local one <close> = points.waiter("semaphore", key, semaphore, wait)
      local two <close> = points.waiter("semaphore", key, semaphore, wait)
      go:send("go on")
      holder:join()
      assert.is_true(points.result(one))
      assert.is_true(points.result(two))
    until survived
  end)

  it("has made or removed it, or not", function()
    points.each{
      open = function() end, act = mutex,
      after = function()
        if segment.read("mutex", key) then segment.check("mutex", key) end
        local m = mutex()
        assert.is_true(m:acquire(0))
        assert.is_true(m:remove())
        m:close()
      end,
    }
    points.each{
      before = function() held(mutex)() end,
      open = mutex, act = function(lock) lock:remove() end,
      after = function(survived)
        local bytes = segment.read("mutex", key)
        assert.is_true(bytes ~= nil or survived)
        local m = mutex()
        if survived then assert.is_true(m:acquire(0)) end
        assert.is_true(m:remove())
        m:close()
        collectgarbage()
      end,
    }
  end)
end)
