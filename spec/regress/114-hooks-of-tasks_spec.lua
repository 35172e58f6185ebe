-- SPDX-License-Identifier: MIT
-- Coverage and debuggers set their hook in every coroutine that they see the program make: they patch coroutine.create.
-- They did not see those of tasks and callbacks, which ran without a hook.

local ipc = require "ipc"

describe("a hook of debug.sethook", function()
  local lines

  local function hook(_, line) lines[line or 0] = true end

  before_each(function() lines = {} end)
  after_each(function() debug.sethook() end)

  -- The line of the caller, as something to be counted.
  local function here() return debug.getinfo(2, "l").currentline end

  it("is that of the tasks that its coroutine makes, and of theirs", function()
    local seen = {}
    debug.sethook(hook, "l")
    ipc.task(function()
      seen[1] = here()
      ipc.yield()
      seen[2] = here()
      ipc.task(function() seen[3] = here() end):join()
    end):join()
    ipc.scope(function(scope) scope:task(function() seen[4] = here() end) end)
    ipc.timeout(10, function() seen[5] = here() end)
    debug.sethook()
    for i = 1, 5 do assert.is_true(lines[seen[i]], i) end
  end)

  it("is taken over with its mask and count", function()
    debug.sethook(hook, "r", 1234)
    local _, f, mask, count = ipc.task(debug.gethook):join()
    debug.sethook()
    assert.same({hook, "r", 1234}, {f, mask, count})
  end)

  it("is not that of tasks that other coroutines make", function()
    debug.sethook(hook, "l")
    local co = coroutine.create(function() return ipc.task(debug.gethook) end)
    local _, task = coroutine.resume(co)
    debug.sethook()
    assert.is_nil((select(2, task:join())))
    assert.same({true}, {ipc.task(debug.gethook):join()})
  end)

  it("is that of callbacks, if it is the main chunk's", function()
    local seen = {}
    debug.sethook(hook, "l")
    ipc.timer(0.001, function(t) seen[1] = here() t:stop() end)
    local handler <close> = ipc.signal_handler("USR1")
    handler:add(function() seen[2] = here() end)
    ipc.signal("USR1"):dispatch(ipc.pid())
    while not (seen[1] and seen[2]) do ipc.sleep(0.001) end
    -- those that interrupt a task without a hook
    local task = coroutine.wrap(function()
      return ipc.task(function()
        ipc.after(0.001, function() seen[3] = here() end)
        while not seen[3] do end
      end)
    end)()
    task:join()
    debug.sethook()
    for i = 1, 3 do assert.is_true(lines[seen[i]], i) end
  end)

  it("is not there any more when it is taken away", function()
    local got
    debug.sethook(hook, "l")
    local timer = ipc.timer(0.001, function() got = {debug.gethook()} end)
    while not got do ipc.sleep(0.001) end
    debug.sethook()
    got = nil
    while not got do ipc.sleep(0.001) end
    timer:stop()
    assert.same({}, got)
  end)

  -- debug.gethook cannot be asked: it may find the hook by which the timer interrupts.
  it("is called also when a timer is just about to interrupt", function()
    local told
    local function note() told = coroutine.running() end
    local function is_told()
      told = nil
      local me = coroutine.running()
      return told == me
    end
    local without = 0
    local timer = ipc.timer(0.0005, function() end)
    debug.sethook(note, "l")
    local until_ = ipc.now() + 0.1
    while ipc.now() < until_ do
      local _, ok = ipc.task(is_told):join()
      if not ok then without = without + 1 end
    end
    debug.sethook()
    timer:stop()
    assert.equal(0, without)
  end)

  it("keeps the coroutine.wrap of a tool when ipc's is installed again", function()
    ipc.coroutine.install()
    local wrap = coroutine.wrap
    local function patched(f) return wrap(f) end
    coroutine.wrap = patched -- luacheck: ignore
    ipc.coroutine.install()
    local kept = coroutine.wrap
    coroutine.wrap = wrap -- luacheck: ignore
    assert.equal(patched, kept)
  end)
end)
