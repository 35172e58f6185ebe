-- SPDX-License-Identifier: MIT
-- Each message of a System V queue went from the kernel to a helper thread, and from there to the loop: a round trip on
-- one processor took 3.6 times as long as in C. Now the loop's own thread blocks in msgrcv, semop or flock where there
-- is nothing else to wait for. So a timeout, a timer and a signal must make a call return that has no timeout.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local rounds = require "spec.support.rounds"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local IPCLUA <const> = os.getenv("IPCLUA") or "build/ipclua"
local ROUNDS <const> = rounds(50)

local THREADS <const> = package.preload.ipc and 0 or 1 -- stock Lua has signal handlers of its own

local sysv = engines.sysv

describe("a process that waits for one System V object", function()
  if sysv.missing then return pending(sysv.missing) end

  local key, lock_key, path, queue, mutex, file_lock
  before_each(function()
    key, lock_key, path = sysv.key(), sysv.key(), os.tmpname()
    queue, mutex, file_lock = assert(ipc.queue(key)), assert(ipc.mutex(lock_key)), assert(ipc.file_lock(path))
  end)
  after_each(function()
    queue:close()
    mutex:close()
    file_lock:close()
    os.remove(path)
    sysv.cleanup()
  end)

  -- Runs fn in a process of its own, where there are no threads yet.
  local function apart(fn)
    return assert(ipc.process(function(channel)
      fn(channel, assert(ipc.queue(key)), assert(ipc.mutex(lock_key)), assert(ipc.file_lock(path)))
    end))
  end

  local function finish(child) assert.same({true, "exit", 0}, {child:wait(PATIENCE)}) end

  it("needs no helper thread in the host", function()
    mutex:acquire()
    file_lock:acquire()
    local child = apart(function(channel, q, m, l)
      for _ = 1, ROUNDS do q:send(2, q:receive(1)) end
      channel:send(ipc.stats().threads)
      channel:send(m:acquire() and m:release() and ipc.stats().threads)
      channel:send(l:acquire() and l:release() and ipc.stats().threads)
    end)
    for i = 1, ROUNDS do
      queue:send(1, i)
      assert.equal(i, (queue:receive(2, PATIENCE)))
    end
    assert.equal(THREADS, child.channel:receive(PATIENCE))
    mutex:release()
    assert.equal(THREADS, child.channel:receive(PATIENCE))
    file_lock:release()
    assert.equal(THREADS, child.channel:receive(PATIENCE))
    finish(child)
  end)

  it("runs its timers, and sees its timeout", function()
    mutex:acquire()
    file_lock:acquire()
    local child = apart(function(channel, q, m, l)
      local ticks = 0
      local timer <close> = ipc.timer(0.02, function() ticks = ticks + 1 end)
      for _, wait in ipairs{
        function() return q:receive(1, 0.1) end, function() return m:acquire(0.1) end,
        function() return l:acquire(0.1) end,
      } do
        ticks = 0
        local result, why = wait()
        channel:send{result or false, why, ticks > 0}
      end
      timer:close()
      channel:send{q:receive(1, 0.05) or false, select(2, q:receive(1, 0.05)), true}
    end)
    for _ = 1, 4 do assert.same({false, "timeout", true}, child.channel:receive(PATIENCE)) end
    finish(child)
  end)

  it("hears a signal at any moment", function()
    local child = apart(function(channel, q)
      local signal <close> = ipc.signal("USR1")
      signal:handle(function() channel:send("heard") end)
      channel:send("ready")
      assert(q:receive(1) == "end")
    end)
    assert.equal("ready", child.channel:receive(PATIENCE))
    for _ = 1, ROUNDS do
      child:signal("USR1")
      assert.equal("heard", child.channel:receive(PATIENCE))
    end
    queue:send(1, "end")
    finish(child)
  end)

  it("is interrupted", function()
    local program = assert(ipc.process{IPCLUA, "-e", ([[
      local ipc = require "ipc"
      local queue = ipc.queue(ipc.file_key(%q, %d))
      queue:send(2, "ready")
      queue:receive(1)
    ]]):format(key.path, key.project), stderr = "null"})
    assert.equal("ready", (queue:receive(2, PATIENCE)))
    program:signal("INT")
    assert.not_equal("timeout", select(2, program:wait(PATIENCE)))
  end)

  it("is told that it was removed", function()
    local child = apart(function(channel, q)
      channel:send("ready")
      channel:send(select(2, q:receive(1)))
    end)
    assert.equal("ready", child.channel:receive(PATIENCE))
    queue:remove()
    assert.equal("removed", child.channel:receive(PATIENCE))
    finish(child)
  end)

  it("waits for room in the same way", function()
    local child = apart(function(channel, q)
      local sent = 0
      while q:send(1, sent + 1, 0) do sent = sent + 1 end
      channel:send("full")
      assert(q:send(1, sent + 1))
      channel:send(sent + 1)
    end)
    assert.equal("full", child.channel:receive(PATIENCE))
    local got = 1
    assert.equal(1, (queue:receive(1, PATIENCE)))
    local all = child.channel:receive(PATIENCE)
    finish(child)
    while got < all do
      got = got + 1
      assert.equal(got, (queue:receive(1, PATIENCE)))
    end
  end)
end)
