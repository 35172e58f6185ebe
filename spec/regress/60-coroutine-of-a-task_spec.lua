-- SPDX-License-Identifier: MIT
-- A task's coroutine belongs to the scheduler. When others resumed it, the program crashed; when they closed it, the
-- task's function ran a second time. And the coroutine of a task that had ended served the next one: what a program, or
-- a library such as a pool of connections, had kept by coroutine.running() was then found by a stranger.

local ipc = require "ipc"
local waits = require "spec.support.waits"

-- the host's functions refuse; those of stock Lua cannot, but nothing comes of it
local GUARDED <const> = coroutine.resume == ipc.coroutine.resume
local MESSAGE <const> = "belongs to a task"
local ROUNDS <const> = 40 -- more than were kept to be used again

-- What `run(fn)` shows of the coroutines in which fn is called: how many times one comes again.
local function seen_again(run)
  local seen, again = {}, 0
  local function look()
    local co = coroutine.running()
    if seen[co] then again = again + 1 end
    seen[co] = true
  end
  for _ = 1, ROUNDS do run(look) end
  return again
end

describe("what is kept by coroutine.running()", function()
  it("is one task's", function()
    assert.equal(0, seen_again(function(fn) ipc.task(fn):join() end))
  end)

  it("is one callback's", function()
    assert.equal(0, seen_again(function(fn)
      local done = false
      ipc.after(0, function()
        fn()
        done = true
      end)
      repeat ipc.yield() until done
    end))
  end)

  it("is one listener call's", function()
    local signal <close> = ipc.signal("USR2")
    local pid = tonumber(io.open("/proc/self/stat"):read("n")) --[[@as integer]]
    assert.equal(0, seen_again(function(fn)
      signal:handle(fn)
      signal:dispatch(pid)
      ipc.dispatch()
    end))
  end)

  it("stays with a coroutine that has ended", function()
    local co
    ipc.task(function() co = coroutine.running() end):join()
    local task = ipc.task(ipc.sleep, 100)
    ipc.yield()
    assert.equal("dead", coroutine.status(co))
    task:close()
  end)
end)

-- How a task can be suspended: each leaves it so, with its coroutine, and returns what lets it end with "result".
local states = {
  asleep = function(fn) return waits.waiting(function()
    fn()
    ipc.sleep(0.001)
    return "result"
  end), function() end end,
  ["waiting for a message"] = function(fn)
    local queue = assert(ipc.queue(ipc.private))
    return waits.waiting(function()
      fn()
      return queue:receive()
    end), function() queue:send(1, "result") end
  end,
  ["waiting in a select"] = function(fn)
    local queue = assert(ipc.queue(ipc.private))
    return waits.waiting(function()
      fn()
      return select(2, ipc.select {queue, {queue, "receive", 7}})
    end), function() queue:send(1, "result") end
  end,
  ["waiting in a generator"] = function(fn)
    local queue = assert(ipc.queue(ipc.private))
    return waits.waiting(function()
      fn()
      return ipc.coroutine.wrap(function() coroutine.yield(queue:receive()) end)()
    end), function() queue:send(1, "result") end
  end,
  ready = function(fn)
    local queue = assert(ipc.queue(ipc.private))
    local task = waits.waiting(function()
      fn()
      return queue:receive()
    end)
    queue:send(1, "result")
    return task, function() end
  end,
  ["giving a turn"] = function(fn)
    local go = false
    local task = ipc.task(function()
      fn()
      repeat ipc.yield() until go
      return "result"
    end)
    ipc.yield()
    return task, function() go = true end
  end,
}

-- The task, its coroutine, what lets it end, and how often its function has begun.
local function suspended(state)
  local co, runs = nil, 0
  local task, let_go = states[state](function()
    runs = runs + 1
    co = coroutine.running()
  end)
  return task, co, let_go, function() return runs end
end

local function refused(fn, ...)
  if GUARDED then
    local ok, err = pcall(fn, ...)
    assert.is_false(ok)
    assert.matches(MESSAGE, err)
  else
    return fn(...)
  end
end

-- Stock Lua takes one with values on its stack for suspended.
local function assert_dead(co)
  if GUARDED then assert.equal("dead", coroutine.status(co)) end
end

describe("a task's coroutine", function()
  local function resumed(state, others)
    local task, co, let_go, runs = suspended(state)
    for n = 0, 3 do
      others(function()
        if task:status() ~= "done" then refused(coroutine.resume, co, table.unpack({co, "x", {}}, 1, n)) end
      end)
    end
    let_go()
    local ok, result = task:join(waits.PATIENCE)
    assert.is_true(ok)
    assert.equal("result", result)
    assert.equal(1, runs())
    assert_dead(co)
  end

  for state in pairs(states) do
    it("is not resumed by others: " .. state, function()
      resumed(state, function(fn) fn() end)
      resumed(state, function(fn) assert(ipc.task(fn):join()) end)
      resumed(state, function(fn) coroutine.wrap(fn)() end)
    end)

    it("is not closed by others, or ends its task: " .. state, function()
      local task, co, let_go, runs = suspended(state)
      local joiner = ipc.task(function() return task:join(waits.PATIENCE) end)
      if task:status() == "waiting" then waits.settle() end
      refused(coroutine.close, co)
      waits.collect()
      if GUARDED then let_go() end
      local _, ok, result = joiner:join()
      assert.equal(GUARDED, ok)
      if not GUARDED then assert.equal(ipc.cancelled, result) end
      assert.equal(1, runs())
      assert.equal(GUARDED and "done" or "cancelled", task:status())
    end)
  end

  it("may be looked at", function()
    for state in pairs(states) do
      local task, co, let_go = suspended(state)
      local lines = 0
      debug.sethook(co, function() lines = lines + 1 end, "l")
      assert.matches("stack traceback", debug.traceback(co))
      for level = 0, 3 do
        for i = 1, 5 do pcall(debug.getlocal, co, level, i) end
      end
      assert.equal("suspended", coroutine.status(co))
      assert.is_boolean(coroutine.isyieldable(co))
      let_go()
      assert.is_true(task:join(waits.PATIENCE))
      assert.is_true(lines > 0 or debug.gethook(co) ~= nil)
    end
  end)

  it("that has not begun is not begun by others", function()
    local got
    local task = ipc.task(function(...)
      got = table.pack(...)
      return "result"
    end, 1, nil, 3, nil)
    local co = debug.getuservalue(task, 1)
    for _ = 1, 2 do refused(coroutine.resume, co, 4, 5) end
    assert.is_nil(got)
    assert.same({true, "result"}, {task:join(waits.PATIENCE)})
    assert.same({1, nil, 3, nil, n = 4}, got)
  end)

  it("that has not begun, and is closed, never does", function()
    local runs = 0
    for try = 1, 2 do
      local task = ipc.task(function() runs = runs + 1 end, 1, 2)
      local co = debug.getuservalue(task, 1)
      if try == 2 then refused(coroutine.resume, co) end
      refused(coroutine.close, co)
      assert.equal(GUARDED, (task:join(waits.PATIENCE)))
    end
    assert.equal(GUARDED and 2 or 0, runs)
  end)

  it("is dead after the end, and the results are not lost", function()
    local called = false
    for _, results in ipairs{{}, {false}, {1, 2, 3}, {function() called = true end}} do
      local co
      local task = ipc.task(function()
        co = coroutine.running()
        return table.unpack(results)
      end)
      for _ = 1, 2 do assert.same({true, table.unpack(results)}, {task:join()}) end
      assert_dead(co)
      assert.is_false(coroutine.resume(co, "x"))
      assert.same({true, table.unpack(results)}, {task:join()})
      coroutine.close(co)
      assert(pcall(task.join, task) or not GUARDED)
    end
    assert.is_false(called)
  end)

  it("is dead after a failure, and the error is not lost", function()
    for _, fail in ipairs{error, function() coroutine.yield() end} do
      local co
      local task = ipc.task(function()
        co = coroutine.running()
        fail({}, 0)
      end)
      local ok, err = task:join()
      assert.is_false(ok)
      assert_dead(co)
      assert.is_false(coroutine.resume(co))
      assert.same({false, err}, {task:join()})
    end
  end)

  it("of the program's own is closed as ever", function()
    for _, close in ipairs{coroutine.close, ipc.coroutine.close} do
      local log = {}
      local co = coroutine.create(function()
        local _ <close> = setmetatable({}, {__close = function() log[1] = "closed" end})
        coroutine.yield()
      end)
      coroutine.resume(co)
      assert.same({true}, {close(co)})
      assert.same({"closed"}, log)
      assert.equal("dead", coroutine.status(co))
      assert.is_false(pcall(close, coroutine.running()))
      assert.is_false(pcall(close, 1))
    end
  end)

  it("gives back what the task holds when it is closed", function()
    local mutex <close> = assert(ipc.mutex(ipc.private))
    local co
    local task = waits.waiting(function()
      co = coroutine.running()
      mutex:acquire()
      ipc.sleep(1000)
    end)
    if GUARDED then task:cancel() else coroutine.close(co) end
    assert.same({true, "abandoned"}, {mutex:acquire(waits.PATIENCE)})
  end)
end)

-- Each fills something, and then waits with a message in its hands; the second empties it and returns the next message.
local LARGE <const> = 60000

local senders = {
  queue = function()
    local queue = assert(ipc.queue(ipc.private, {codec = "raw", capacity = LARGE + LARGE // 2}))
    return function(m) queue:send(1, m) end, function() return (queue:receive(0, 0)) end
  end,
  ["queue, in a select"] = function()
    local queue = assert(ipc.queue(ipc.private, {codec = "raw", capacity = LARGE + LARGE // 2}))
    local other = assert(ipc.queue(ipc.private))
    return function(m) ipc.select {{queue, "send", 1, m}, other} end, function() return (queue:receive(0, 0)) end
  end,
  channel = function()
    local near, far = ipc.stream_channel_pair {codec = "raw"}
    return function(m) near:send(m) end, function() return (far:receive(0)) end
  end,
  hub = function()
    local hub = assert(ipc.multi_stream_channel {codec = "raw", limit = LARGE + LARGE // 2})
    local client = hub:create_client()
    return function(m) hub:send(m) end, function() return (client:receive(0)) end
  end,
}

describe("a coroutine that waits to send, and is closed", function()
  for name, make in pairs(senders) do
    local function closed(own)
      local send, receive = make()
      local co
      local task = waits.waiting(function()
        local function work()
          co = coroutine.running()
          for i = 1, 100 do send(string.char(64 + i % 64):rep(LARGE)) end
        end
        if own then work() else ipc.coroutine.wrap(work)() end
      end)
      local joiner = waits.waiting(task.join, task, waits.PATIENCE)
      local ok, err = pcall(coroutine.close, co)
      assert.equal(not GUARDED, ok)
      assert.matches(GUARDED and (own and MESSAGE or "waits") or "", tostring(err))
      waits.collect()
      local trash = {}
      for i = 1, 20 do trash[i] = ("trash"):rep(LARGE // 5) end
      assert.equal(20, #trash)
      if GUARDED then task:cancel() end
      local n = 0
      for _ = 1, 200 do
        local m = receive()
        if m then
          n = n + 1
          assert.equal(string.char(64 + n % 64):rep(LARGE), m)
        end
        ipc.yield()
      end
      assert.is_true(n > 0)
      assert.is_false((select(2, joiner:join())))
    end

    it("sends no trash: " .. name, function()
      closed(true)
      closed(false)
    end)
  end
end)
