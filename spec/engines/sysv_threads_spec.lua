-- SPDX-License-Identifier: MIT
-- What waiting for System V objects costs: one thread for each object that is waited for, however many tasks wait, and
-- no system call while nothing happens.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local IPCLUA = os.getenv("IPCLUA")

local sysv = engines.sysv

-- The threads of this process beside the one that runs Lua.
local function threads()
  local file = assert(io.open("/proc/self/status"))
  local count = tonumber(file:read("a"):match("\nThreads:%s+(%d+)"))
  file:close()
  assert(ipc.stats().threads == count - 1, "ipc.stats() miscounts the threads")
  return count - 1
end

describe("System V threads #nosan", function()
  if sysv.missing then return pending(sysv.missing) end

  after_each(sysv.cleanup)

  -- Runs fn in a process of its own, where there are no threads yet, with n semaphores that have no permit left.
  local function apart(n, fn)
    local keys = {}
    for i = 1, n do keys[i] = sysv.key() end
    local child = assert(ipc.process(function(channel)
      local list = {}
      for i = 1, n do
        list[i] = assert(ipc.semaphore(keys[i], 1))
        list[i]:acquire(0)
      end
      channel:send(fn(list, keys))
    end))
    local seen, why = child.channel:receive(PATIENCE)
    assert.is_true(child:wait(PATIENCE))
    return assert(seen, why)
  end

  -- Lets the loop block, so that threads have to wait in its place.
  local function block() ipc.sleep(0.005) end

  -- The threads, when there are n at least: on a busy machine a sleep may be over before the loop has blocked.
  local function block_until(n)
    local deadline = ipc.now() + PATIENCE
    repeat block() until threads() >= n or ipc.now() > deadline
    return threads()
  end

  local function wait_for(list, times)
    local tasks = {}
    for i = 1, times do
      tasks[i] = ipc.task(function()
        local s = list[(i - 1) % #list + 1]
        assert(s:acquire(PATIENCE))
        s:release()
      end)
    end
    return tasks
  end

  local function finish(list, tasks)
    for _, s in ipairs(list) do s:release() end
    for _, t in ipairs(tasks) do assert(t:join(PATIENCE)) end
    for _, s in ipairs(list) do s:acquire(0) end
  end

  it("are none while nothing waits", function()
    assert.same({0, 0, 0}, apart(10, function(list)
      local seen = {threads()}
      for _, s in ipairs(list) do
        s:release()
        s:acquire()
        assert(not s:acquire(0))
      end
      seen[2] = threads()
      block()
      seen[3] = threads()
      return seen
    end))
  end)

  it("are one for 500 tasks that wait for one semaphore", function()
    assert.same({1, 1, 1, 1}, apart(1, function(list)
      local tasks, seen = wait_for(list, 500), {}
      seen[1] = block_until(1)
      block()
      seen[2] = threads()
      finish(list, tasks)
      seen[3] = threads() -- parked
      tasks = wait_for(list, 500)
      block()
      seen[4] = threads() -- used again
      finish(list, tasks)
      return seen
    end))
  end)

  it("are one for all handles of a semaphore", function()
    assert.equal(1, apart(1, function(list, keys)
      local twin = assert(ipc.semaphore(keys[1], 1))
      local tasks = wait_for({list[1], twin}, 10)
      local seen = block_until(1)
      finish(list, tasks)
      return seen
    end))
  end)

  it("are ten for ten semaphores", function()
    assert.same({10, 10, 10}, apart(10, function(list)
      local tasks, seen = wait_for(list, 500), {}
      seen[1] = block_until(10)
      finish(list, tasks)
      seen[2] = threads()
      tasks = {ipc.task(function() return ipc.select(list, PATIENCE) end)}
      block()
      seen[3] = threads()
      list[7]:release()
      assert(tasks[1]:join(PATIENCE))
      return seen
    end))
  end)

  it("do not keep a process from its end", function()
    local keys = {sysv.key(), sysv.key()}
    for _, fn in ipairs{function() os.exit(0, true) end, function() os.exit(0) end, function() end} do
      local child = assert(ipc.process(function()
        local list = {}
        for i, key in ipairs(keys) do
          list[i] = assert(ipc.semaphore(key, 1))
          list[i]:acquire()
        end
        for _, t in ipairs(wait_for(list, 10)) do t:detach() end
        assert(block_until(2) == 2)
        fn()
      end))
      assert.same({true, "exit", 0}, {child:wait(PATIENCE)})
    end
    assert.equal(1, assert(ipc.semaphore(keys[1], 1)):value())
  end)

  it("make no system call, nor does the loop, while all wait", function()
    local script, log = os.tmpname(), os.tmpname()
    finally(function()
      os.remove(script)
      os.remove(log)
    end)
    local file = assert(io.open(script, "w"))
    file:write([[
      local ipc = require "ipc"
      for _, text in ipairs(arg) do
        local s = assert(ipc.semaphore(ipc.key(text), 1))
        s:acquire()
        for _ = 1, 50 do ipc.task(function() s:acquire() end):detach() end
      end
      repeat ipc.sleep(0.02) until ipc.stats().threads == #arg
      io.stdout:write("idle\n"):flush()
      ipc.sleep(0.3)
      io.stdout:write("over\n"):flush()
      os.exit(0)
    ]])
    file:close()
    local texts = {}
    for i = 1, 3 do texts[i] = "file:" .. sysv.key().path end
    local command = ("strace -f -qq -o %s %s %s %s >/dev/null"):format(log, IPCLUA, script, table.concat(texts, " "))
    assert(os.execute(command))
    local idle, calls = false, {}
    for line in io.lines(log) do
      if line:find('write(1, "over', 1, true) then idle = false end
      if idle and not line:find("resumed>", 1, true) then calls[#calls + 1] = line:match("^%d+%s+([%w_]+)") or line end
      if line:find('write(1, "idle', 1, true) then idle = true end
    end
    assert.is_false(idle)
    for _, name in ipairs(calls) do assert.matches("^epoll_", name) end
    assert.is_true(#calls >= 1 and #calls <= 3, #calls .. " calls")
  end)
end)
