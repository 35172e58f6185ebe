-- SPDX-License-Identifier: MIT
-- The loop as a program sees it: what is listed and counted, what keeps the program alive, where one may wait and where
-- not, sleeps of all lengths, hooks of the user's own, and tasks by the hundred thousand.

local ipc = require "ipc"
local homes = require "spec.support.homes"

local PATIENCE <const> = 10

local function line() return debug.getinfo(2, "l").currentline end

local function until_ready(t) while t:status() ~= "waiting" do ipc.yield() end return t end

describe("ipc.tasks", function()
  it("lists the tasks that have not ended, in the order they were made, and what each waits in, and where", function()
    assert.same({}, ipc.tasks())
    local a, b = ipc.stream_channel_pair()
    local timer <close> = ipc.timer(100)
    local trap <close> = ipc.signal_trap("USR1")
    local signal <close> = ipc.signal("USR2")
    local target = ipc.task(ipc.sleep, 100)
    local expected = {
      "sleep", "task join", "channel receive", "timer wait", "signal wait", "trap wait", "select", "sleep",
    }
    local here, list
    local tasks = {
      ipc.task(function() target:join() end),
      ipc.task(function() b:receive() end),
      ipc.task(function() timer:wait() end),
      ipc.task(function() signal:wait() end),
      ipc.task(function() trap:wait() end),
      ipc.task(function() ipc.select{b, timer} end),
      ipc.task(function()
        here = line() + 1
        ipc.coroutine.wrap(function() ipc.sleep(100) end)()
      end),
      ipc.task(function() list = ipc.tasks() end),
      ipc.task(function() end),
    }
    ipc.yield()
    table.move(tasks, 1, 7, 2, tasks)
    tasks[1] = target
    assert.equal(10, #list)
    for i = 1, 8 do
      assert.equal("waiting", list[i].status)
      assert.equal(tostring(tasks[i]), ("ipc.Task %d (waiting)"):format(list[i].id))
      assert.equal(expected[i], list[i].waiting_on)
    end
    assert.matches("loop_spec.lua:" .. here .. "$", list[8].where)
    assert.same({"running", "ready"}, {list[9].status, list[10].status})
    assert.is_nil(list[9].waiting_on)
    for i = 2, 10 do assert.is_true(list[i].id > list[i - 1].id) end
    for i = 1, 8 do tasks[i]:close() end
    a:close()
    assert.same({}, ipc.tasks())
  end)
end)

describe("ipc.current", function()
  it("is the task that runs, in its coroutines too, and nil on the main chunk", function()
    assert.is_nil(ipc.current())
    assert.is_nil(ipc.coroutine.wrap(ipc.current)())
    local inside = {}
    local t = ipc.task(function()
      inside[1] = ipc.current()
      ipc.yield()
      inside[2] = ipc.coroutine.wrap(function()
        ipc.sleep(0.001)
        return ipc.current()
      end)()
      inside[3] = select(2, ipc.task(ipc.current):join())
      inside[4] = ipc.current()
    end)
    assert.same({true}, {t:join()})
    assert.same({true, true, false, true}, {inside[1] == t, inside[2] == t, inside[3] == t, inside[4] == t})
    assert.equal("userdata", type(inside[3]))
    local called
    ipc.after(0, function() called = ipc.current() end)
    while not called do ipc.yield() end
    assert.equal("done", called:status())
    assert.is_nil(ipc.current())
  end)
end)

describe("ipc.pid", function()
  it("is the number of the process, in a forked child its own", function()
    assert.equal(io.open("/proc/self/stat"):read("n"), ipc.pid())
    local child <close> = assert(ipc.process(function(channel) channel:send(ipc.pid()) end))
    assert.equal(child.pid, child.channel:receive())
  end)
end)

describe("ipc.stats", function()
  it("counts tasks, ticks, sleeps and what keeps the program alive", function()
    local before = ipc.stats()
    for _, field in ipairs{"tasks", "alive", "switches", "timers", "deadlines", "threads", "signals_lost"} do
      assert.equal("integer", math.type(before[field]), field)
    end
    assert.same({0, 0, 0}, {before.tasks, before.deadlines, before.signals_lost})
    local sleeper = until_ready(ipc.task(ipc.sleep, 100))
    local detached = until_ready(ipc.task(ipc.sleep, 100)):detach()
    local timer = ipc.timer(100, function() end)
    local now = ipc.stats()
    assert.same({2, before.alive + 2, before.timers + 1, 2}, {now.tasks, now.alive, now.timers, now.deadlines})
    assert.is_true(now.switches >= before.switches + 2)
    timer:detach()
    assert.equal(before.alive + 1, ipc.stats().alive)
    timer:stop()
    sleeper:close()
    detached:close()
    now = ipc.stats()
    assert.same({0, before.alive, before.timers, 0}, {now.tasks, now.alive, now.timers, now.deadlines})
  end)
end)

describe("the program", function()
  for _, home in ipairs(homes) do
    it("ends when only what is detached is left, and cancels it, in " .. home.name, function()
      local output, status, errors = home.run [[
        local function closing(name) return setmetatable({}, {__close = function() print(name) end}) end
        local t = ipc.task(function()
          local _ <close> = closing("cancelled")
          while true do ipc.sleep(0.001) end
        end)
        assert(t:detach() == t)
        t:detach()
        ipc.timer(0.001, function() end):detach()
        ipc.signal_handler("USR1"):add(print)
        ipc.task(function() ipc.sleep(0.01) print("end") end)]]
      assert.equal("end\n", (output:gsub("cancelled\n", "")), errors)
      assert.equal("exit 0", status)
      if home.name == "ipclua" then assert.equal("end\ncancelled\n", output) end
    end)

    it("goes on for what is left, and ipc.run may be called at any time, in " .. home.name, function()
      local output, status, errors = home.run [[
        print(ipc.run())
        ipc.task(function() ipc.sleep(0.002) print("task") ipc.after(0.002, function() print("timer") end) end)
        print(ipc.run())
        print(pcall(ipc.task(function() print(pcall(ipc.run)) end).join, nil))
        print(ipc.run(), ipc.run())
        ipc.task(function() print("last") end)]]
      assert.matches("^true\ntask\ntimer\ntrue\nfalse\t[^\n]+\nfalse\t[^\n]*ipc.run is for the main chunk[^\n]*\n"
        .. "true\ttrue\nlast\n$", output, errors)
      assert.equal("exit 0", status)
    end)
  end
end)

describe("a sleep", function()
  it("takes its time and no less, yields when it is 0, and refuses what is no time", function()
    for _, seconds in ipairs{0.001, 1e-9, 0.0005, 1e-300} do
      local start = ipc.now()
      ipc.sleep(seconds)
      assert.is_true(ipc.now() - start >= seconds * 0.999999)
    end
    local log = {}
    local t = ipc.task(function()
      for i = 1, 2 do
        log[#log + 1] = "task " .. i
        ipc.sleep(0)
      end
    end)
    local other = ipc.task(function()
      for i = 1, 2 do
        log[#log + 1] = "other " .. i
        ipc.sleep(0.0)
      end
    end)
    t:join()
    other:join()
    assert.same({"task 1", "other 1", "task 2", "other 2"}, log)
    for _, bad in ipairs{-1, -1e-300, -math.huge, 0 / 0, "x", {}, true} do
      assert.is_false(pcall(ipc.sleep, bad))
      assert.is_false((ipc.task(function() ipc.sleep(bad) end):join()))
    end
    assert.is_false(pcall(ipc.sleep))
    assert.is_false(pcall(ipc.sleep, nil))
  end)

  it("may be for ever", function()
    for _, seconds in ipairs{math.huge, 1e300, 9.3e9, math.maxinteger} do
      local t = until_ready(ipc.task(ipc.sleep, seconds))
      assert.same({nil, "timeout"}, {t:join(0.001)})
      t:close()
      assert.equal("cancelled", t:status())
    end
    assert.same({true}, {ipc.task(function() end):join(math.huge)})
  end)

  it("is one of a hundred thousand, of two KiB each #nosan", function()
    collectgarbage()
    local n, tasks, before = 100000, {}, collectgarbage("count")
    for i = 1, n do tasks[i] = ipc.task(ipc.sleep, 1.5 + i / n / 10) end
    ipc.yield()
    until_ready(tasks[n])
    collectgarbage()
    local used = (collectgarbage("count") - before) / n
    assert.is_true(used < 2, ("%.2f KiB"):format(used))
    assert.equal(n, ipc.stats().tasks)
    for i = n, 1, -1 do assert(tasks[i]:join(PATIENCE)) end
    assert.same({0, 0}, {ipc.stats().tasks, ipc.stats().deadlines})
  end)

  it("of ten thousand ends when they are cancelled and joined #nosan", function()
    local tasks, joiners, closed = {}, {}, 0
    for i = 1, 10000 do
      tasks[i] = ipc.task(function()
        local _ <close> = setmetatable({}, {__close = function() closed = closed + 1 end})
        ipc.sleep(1000)
      end)
      joiners[i] = ipc.task(function() return tasks[i]:join() end)
    end
    until_ready(joiners[10000])
    for i = 1, 10000 do tasks[i]:cancel() end
    for i = 1, 10000 do assert.same({true, false, ipc.cancelled}, {joiners[i]:join(PATIENCE)}) end
    assert.equal(10000, closed)
  end)
end)

describe("waiting", function()
  local function generator(n)
    return ipc.coroutine.wrap(function()
      for i = 1, n do
        ipc.sleep(0.0002)
        local inner = ipc.coroutine.wrap(function()
          ipc.sleep(0.0002)
          coroutine.yield(i)
        end)
        coroutine.yield(inner())
      end
    end)
  end

  local function collect()
    local got = {}
    for i in generator(5) do got[#got + 1] = i end
    return got
  end

  it("works in generators of generators, in tasks and on the main chunk", function()
    assert.same({1, 2, 3, 4, 5}, collect())
    local tasks = {}
    for i = 1, 20 do tasks[i] = ipc.task(collect) end
    for i = 1, 20 do assert.same({true, {1, 2, 3, 4, 5}}, {tasks[i]:join(PATIENCE)}) end
  end)

  it("works in metamethods, iterators, pcall, xpcall and require of a task", function()
    local t = ipc.task(function()
      local slow = setmetatable({}, {
        __index = function(_, k) ipc.sleep(0.0002) return k end,
        __call = function(_, x) ipc.sleep(0.0002) return x end,
        __eq = function() ipc.sleep(0.0002) return true end,
        __concat = function() ipc.sleep(0.0002) return "concat" end,
        __len = function() ipc.sleep(0.0002) return 7 end,
        __lt = function() ipc.sleep(0.0002) return true end,
      })
      local results = {slow.x, slow(2), slow == setmetatable({}, getmetatable(slow)), slow .. "", #slow, slow < slow}
      results[#results + 1] = select(2, pcall(function() ipc.sleep(0.0002) return "pcall" end))
      local function fail() ipc.sleep(0.0002) error("x", 0) end
      results[#results + 1] = select(2, xpcall(fail, function(e) return e .. "!" end))
      for i in function(_, i) ipc.sleep(0.0002) return (i or 0) < 3 and (i or 0) + 1 or nil end do
        results[#results + 1] = i
      end
      return results
    end)
    assert.same({true, {"x", 2, true, "concat", 7, true, "pcall", "x!", 1, 2, 3}}, {t:join(PATIENCE)})
  end)

  it("is refused, with the reason, in a callback of what Lua cannot suspend, and only there", function()
    local t = ipc.task(function()
      local problems = {}
      local function note(fn, ...)
        local ok, why = pcall(fn, ...)
        problems[#problems + 1] = not ok and why:match("cannot wait inside a callback") or tostring(ok)
      end
      note(table.sort, {3, 2, 1}, function(x, y) ipc.sleep(0.001) return x < y end)
      note(string.gsub, "abc", ".", function() ipc.yield() end)
      note(load, function() ipc.sleep(0.001) end)
      note(string.gsub, "abc", ".", function() ipc.timeout(1, ipc.sleep, 1) end)
      ipc.sleep(0.001)
      return problems
    end)
    local ok, problems = t:join(PATIENCE)
    assert.is_true(ok)
    local why = "cannot wait inside a callback"
    assert.same({why, why, "true", why}, problems) -- load gives the error back instead of raising it
    local sorted = {3, 1, 2} -- the main chunk runs the loop on top of itself
    table.sort(sorted, function(x, y) ipc.sleep(0.0002) return x < y end)
    assert.same({1, 2, 3}, sorted)
  end)

  if coroutine.wrap ~= ipc.coroutine.wrap then
    it("is refused in a coroutine of stock Lua's, by name of what helps", function()
      local t = ipc.task(function()
        return pcall(coroutine.wrap(function() ipc.sleep(0.001) end))
      end)
      local _, ok, why = t:join()
      assert.is_false(ok)
      assert.matches("ipc.coroutine", why, 1, true)
    end)
  end
end)

describe("a hook of the user's", function()
  for _, home in ipairs(homes) do
    it("survives signals and timers, and sees what it saw before, in " .. home.name .. " #busy", function()
      local output, status, errors = home.run [[
        local lines, ticks, seen = 0, 0, 0
        local pid = ipc.pid()
        local function hook(event, at) assert(event == "count" and at == nil) lines = lines + 1 end
        debug.sethook(hook, "", 1000)
        local handler = ipc.signal_handler("USR1")
        handler:add(function() seen = seen + 1 end)
        local timer = ipc.timer(0.0005, function() ticks = ticks + 1 end)
        local signal = ipc.signal("USR1")
        local function gethook() -- not that which is there for a moment, to interrupt; it counts to 1
          local fn, mask, count
          repeat fn, mask, count = debug.gethook() until fn ~= "external hook" and count ~= 1
          return fn, mask, count
        end
        for i = 1, 20 do
          signal:dispatch(pid)
          local before, was = ticks, lines
          while ticks == before or seen < i or lines == was do end
          local fn, mask, count = gethook()
          assert(fn == hook and mask == "" and count == 1000)
        end
        timer:stop()
        local inside = {}
        ipc.task(function()
          inside[1] = gethook() == hook -- a coroutine takes over the hook of its maker
          debug.sethook()
          ipc.sleep(0.001)
          inside[2] = gethook() == nil
        end):join()
        ipc.task(function() inside[3] = gethook() == hook end):join()
        print(inside[1], inside[2], inside[3], gethook() == hook)
        debug.sethook()
        print((debug.gethook()))]]
      assert.equal("true\ttrue\ttrue\ttrue\nnil\n", output, errors)
      assert.equal("exit 0", status)
    end)
  end

  it("that raises ends the code that runs, and nothing else", function()
    local t = ipc.task(function()
      debug.sethook(function() error("stop here", 0) end, "", 10000)
      while true do end
    end)
    local other = ipc.task(function()
      ipc.sleep(0.001)
      return "other"
    end)
    local ok, why = t:join(PATIENCE)
    assert.same({false, "stop here"}, {ok, why})
    assert.same({true, "other"}, {other:join(PATIENCE)})
  end)
end)
