-- SPDX-License-Identifier: MIT
-- A release that met a process which was stopped inside the same mutex failed after five seconds, and had forgotten
-- that it was held: when the stopped one went on, no process could have the mutex until the process ended. A guard, the
-- end of a task and a handle that was closed said nothing at all. Now what is given back is free when the stopped
-- process goes on, or ends, without a wait or a question.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local segment = require "spec.support.segment"

local PATIENCE <const> = 20
local shm = engines.shm

local nouns = {
  mutex = ipc.mutex,
  semaphore = function(key) return ipc.semaphore(key, 1) end,
}

-- How it is given back, of a lock that this task holds or, where `take` says how, takes; and what the next holder of a
-- mutex is told.
local ways = {
  ["a release"] = {release = function(lock) assert.is_true(lock:release()) end},
  ["a guard"] = {take = function(lock) return assert(lock:hold()) end, release = function(_, guard) guard:close() end},
  ["a guard that is collected"] = {
    take = function(lock) return {lock:hold()} end,
    release = function(_, held)
      held[1] = nil
      collectgarbage()
      collectgarbage()
    end,
  },
  ["a handle that is closed"] = {release = function(lock) lock:close() end},
  ["a task that fails"] = {
    take = function(lock)
      local go, inner = ipc.stream_channel_pair()
      local task = ipc.task(function()
        assert(lock:acquire())
        inner:receive()
        error("the work failed", 0)
      end)
      while task:status() ~= "waiting" do ipc.yield() end
      local joiner = ipc.task(task.join, task, PATIENCE) -- before it fails, or it would be reported
      while joiner:status() ~= "waiting" do ipc.yield() end
      return function()
        go:send("on")
        assert.same({true, false, "the work failed"}, {joiner:join(PATIENCE)})
      end
    end,
    release = function(_, fail) fail() end,
    told = "abandoned",
  },
}

describe("a lock in shared memory that is given back while a process stands still inside", function()
  after_each(shm.cleanup)

  -- From here on the latch belongs to a process that lives and does nothing. Returns what lets it go on; with "ends" it
  -- ends instead, and the kernel says so.
  local function stop(noun, key)
    local stopped = assert(ipc.process(function(channel) channel:receive() end))
    local file = assert(io.open(segment.path(noun, key), "r+b"))
    file:setvbuf("no")
    local function write(owner)
      file:seek("set", 12)
      file:write(("<I4"):pack(owner))
    end
    write(stopped.pid)
    finally(function()
      stopped:close()
      file:close()
    end)
    return function(how) write(how == "ends" and 0x40000000 or 0) end
  end

  -- Another process that waits for the lock, and then says what it was told.
  local function waiter(noun, key, open)
    local child = assert(ipc.process(function(channel)
      local ok, how = assert(open(key)):acquire(PATIENCE)
      channel:send{ok or "nil", how}
      channel:receive()
    end))
    while not segment.parked(noun, key) do ipc.sleep(0.001) end
    return child
  end

  for noun, open in pairs(nouns) do
    for what, way in pairs(ways) do
      for _, how in ipairs{"goes on", "ends"} do
        it(("is free when that %s: %s of a %s"):format(how, what, noun), function()
          local key = shm.key()
          local lock = assert(open(key))
          local held
          if way.take then held = way.take(lock) else assert(lock:acquire()) end
          local child <close> = waiter(noun, key, open)
          local go_on = stop(noun, key)
          way.release(lock, held)
          assert.is_nil((child.channel:receive(0)))
          go_on(how)
          assert.same({true, noun == "mutex" and way.told or nil}, child.channel:receive(PATIENCE))
        end)
      end
    end

    it("can be acquired again, by a task that came meanwhile: a " .. noun, function()
      local key = shm.key()
      local lock <close> = assert(open(key))
      assert(lock:acquire())
      local go_on = stop(noun, key)
      assert.is_true(lock:release())
      assert.error_matches(function() lock:release() end, "is not held by this")
      assert.same({nil, "timeout"}, {lock:acquire(0.01)})
      local task = ipc.task(function() return lock:acquire(PATIENCE) end)
      while task:status() ~= "waiting" do ipc.yield() end
      go_on()
      assert.same({true, true}, {task:join(PATIENCE)})
    end)

    for _, ending in ipairs{"os.exit", "its function"} do
      it(("is not abandoned by a process that ends with %s: a %s"):format(ending, noun), function()
        local key = shm.key()
        local lock <close> = assert(open(key))
        local child <close> = assert(ipc.process(function(channel)
          assert(lock:acquire())
          channel:send("held")
          channel:receive()
          assert.is_true(lock:release())
          channel:send("released")
          if ending == "os.exit" then os.exit(0) end
        end))
        assert.equal("held", child.channel:receive(PATIENCE))
        local go_on = stop(noun, key)
        child.channel:send("release")
        assert.equal("released", child.channel:receive(PATIENCE))
        go_on()
        assert.is_true(child:wait(PATIENCE))
        assert.same({true}, {lock:acquire(0)})
      end)
    end

    it("is nothing that a forked child would give back: a " .. noun, function()
      local key = shm.key()
      local lock <close> = assert(open(key))
      assert(lock:acquire())
      local go_on = stop(noun, key)
      assert.is_true(lock:release())
      local child <close> = assert(ipc.process(function(channel)
        channel:receive()
        channel:send{lock:acquire(0)}
        lock:close()
      end))
      go_on()
      while not lock:acquire(0.01) do ipc.yield() end
      child.channel:send("try")
      assert.same({ipc.null, "timeout"}, child.channel:receive(PATIENCE))
      child:wait(PATIENCE)
      assert.is_true(lock:release())
    end)
  end

  it("gives back several permits", function()
    local key = shm.key()
    local s <close> = assert(ipc.semaphore(key, 5))
    for _ = 1, 4 do assert(s:acquire()) end
    local go_on = stop("semaphore", key)
    for _ = 1, 3 do assert.is_true(s:release()) end
    go_on()
    assert.equal(4, s:value())
  end)
end)
