-- SPDX-License-Identifier: MIT
-- Errors that are not caught, in tasks and callbacks: each is printed once, with its traceback, the others go on, and
-- the program ends with status 1 (in stock Lua, where the runtime does not end the program, with lua's own). Error
-- objects of all kinds, errors while errors are handled; none of it crashes or hangs.

local ipc = require "ipc"
local homes = require "spec.support.homes"

local function closing(fn)
  return setmetatable({}, {__close = fn})
end

local function count(text, part)
  local n, at = 0, 1
  while true do
    local first, last = text:find(part, at, true)
    if not first then return n end
    n, at = n + 1, last + 1
  end
end

-- Programs: what they print when all goes on after the errors, and the errors, each of which is to be reported once.
local programs = {
  {"a task", [[
    ipc.task(function() error("mine") end)
    ipc.task(function() ipc.sleep(0.001) error("later") end)
    ipc.task(function() ipc.sleep(0.005) print("other") end)
    print("main")]], "main\nother\n", {"mine", "later"}},
  {"tasks made by tasks", [[
    ipc.task(function()
      ipc.task(function()
        ipc.task(function() error("innermost") end)
        error("middle")
      end)
      ipc.yield()
      error("outermost")
    end)]], "", {"innermost", "middle", "outermost"}},
  {"a coroutine of a task", [[
    ipc.task(function()
      ipc.coroutine.wrap(function() ipc.sleep(0.001) error("in a coroutine") end)()
    end)]], "", {"in a coroutine"}},
  {"a timer's function, which goes on", [[
    local n = 0
    ipc.timer(0.001, function(timer)
      n = n + 1
      if n == 3 then timer:stop() print("third") end
      error("tick " .. n)
    end)]], "third\n", {"tick 1", "tick 2", "tick 3"}},
  {"a callback made by a callback", [[
    ipc.after(0, function()
      ipc.after(0, function()
        ipc.task(function() error("task of both") end)
        error("timer of a timer")
      end)
      ipc.sleep(0.002)
      error("timer")
    end)]], "", {"timer of a timer\n", "task of both", ": timer\n"}},
  {"a listener, and the next one is called", [[
    local pid = ipc.pid()
    local handler = ipc.signal_handler("USR1")
    local done = ipc.task(ipc.sleep, 100)
    handler:add(function() print("oldest") done:cancel() end)
    handler:add(function() ipc.sleep(0.001) error("after a wait") end)
    handler:add(function() error("at once") end)
    ipc.signal("USR1"):dispatch(pid)
    done:join()]], "oldest\n", {"after a wait", "at once"}},
  {"a listener in code that never waits #busy", [[
    local pid = ipc.pid()
    local signal, calls = ipc.signal("USR1"), 0
    signal:handle(function() calls = calls + 1 error("interrupting " .. calls) end)
    for i = 1, 2 do
      signal:dispatch(pid)
      while calls < i do end
    end
    print("went on")]], "went on\n", {"interrupting 1", "interrupting 2"}},
  {"objects of all kinds", [[
    ipc.task(function() error() end)
    ipc.task(function() error(42) end)
    ipc.task(function() error({}) end)
    ipc.task(function() error(setmetatable({}, {__tostring = function() return "told" end})) end)
    ipc.task(function() error(setmetatable({}, {__tostring = function() error("hidden") end})) end)
    ipc.task(function() error(setmetatable({}, {__name = "Named"})) end)
    ipc.task(function() error("line one\nline two") end)
    ipc.task(function() error("a\0b") end)]], "", {
      "task nil\n", "task 42\n", "task table: 0x", "task told\n", "(error object is a table value)", "task Named: 0x",
      "line one\nline two\n", "task script:8: a", -- the rest of it stands behind a zero
  }},
  {"errors while errors are handled", [[
    ipc.task(function() print(xpcall(error, function() error("again") end, "first")) end)
    ipc.task(function() print(select("#", xpcall(error, function(e) error(e) end, {}))) end)
    ipc.task(function()
      print((xpcall(error, function() ipc.sleep(0.001) end)))
      ipc.sleep(0.001)
      error("after them")
    end)]], "false\terror in error handling\n2\nfalse\n", {"after them"}},
  {"stacks that overflow", [[
    ipc.task(function() local function f() return (string.gsub("a", "a", f)) end f() end)
    ipc.task(function()
      local function f() return 1 + f() end
      local t <close> = setmetatable({}, {__close = function() ipc.sleep(0.001) print("closed") end})
      f()
    end)]], "closed\n", {"C stack overflow", "task script:3: stack overflow"}},
}

describe("an error that is not caught", function()
  for _, home in ipairs(homes) do
    for _, program in ipairs(programs) do
      it("is printed once, in " .. program[1] .. "; " .. home.name, function()
        local output, status, errors = home.run(program[2])
        if program[2]:find("xpcall") then output = output:gsub("C stack overflow", "error in error handling") end
        assert.equal(program[3], output, errors)
        for _, text in ipairs(program[4]) do assert.equal(1, count(errors, text), text .. " in\n" .. errors) end
        assert.equal(#program[4], count(errors, "ipc: "), errors)
        assert.equal(#program[4], count(errors, "stack traceback:\n"), errors)
        assert.is_nil(errors:find("hidden", 1, true))
        assert.equal(home.name == "ipclua" and "exit 1" or "exit 0", status)
      end)
    end
  end

  it("in the main chunk ends the program as lua5.4 ends, after its tasks have been closed", function()
    local output, status, errors = homes[1].run [[
      ipc.task(function()
        local _ <close> = setmetatable({}, {__close = function() print("closed") error("in close") end})
        ipc.sleep(100)
      end)
      ipc.timer(0.001, function() end)
      ipc.yield()
      error({})]]
    assert.equal("closed\n", output)
    assert.equal("exit 1", status)
    assert.equal(1, count(errors, "(error object is a table value)"), errors)
  end)
end)

describe("an error", function()
  it("in a close variable is the task's error, also when it is cancelled", function()
    local t = ipc.task(function()
      local _ <close> = closing(function(_, err) error(err .. " and more", 0) end)
      ipc.sleep(100)
    end)
    local joined = ipc.task(function() return t:join() end)
    ipc.yield()
    t:cancel()
    assert.same({true, false, "cancelled and more"}, {joined:join(5)})
    assert.equal("failed", t:status())
  end)

  it("in one close variable does not keep the others from closing, even if they wait", function()
    local log = {}
    local t = ipc.task(function()
      local _ <close> = closing(function(_, err)
        ipc.sleep(0.001)
        log[#log + 1] = err
      end)
      local _ <close> = closing(function(_, err)
        log[#log + 1] = err
        ipc.sleep(0.001)
        error("second", 0)
      end)
      error("first", 0)
    end)
    assert.same({false, "second"}, {t:join(5)})
    assert.same({"first", "second"}, log)
  end)

  it("nil, false, and objects come through join, a timeout and a scope as they are", function()
    local object = setmetatable({}, {__tostring = function() error("never asked for") end})
    for _, value in ipairs{false, object, 1.5, print} do
      local t = ipc.task(function() error(value) end)
      local ok, err = t:join()
      assert.is_false(ok)
      assert.is_true(rawequal(value, err))
      ok, err = pcall(ipc.timeout, 5, function() error(value) end)
      assert.is_false(ok)
      assert.is_true(rawequal(value, err))
      ok, err = pcall(ipc.scope, function(scope) scope:task(function() error(value) end) end)
      assert.is_false(ok)
      assert.is_true(rawequal(value, err))
    end
    assert.same({n = 2, false, nil}, table.pack(ipc.task(function() error() end):join()))
    assert.same({n = 2, false, nil}, table.pack(pcall(ipc.timeout, 5, error)))
  end)

  it("that was joined is not printed, and one that says \"cancelled\" is an error like others", function()
    local t
    local joiner = ipc.task(function() return t:join() end)
    t = ipc.task(function() error("cancelled", 0) end)
    assert.same({true, false, "cancelled"}, {joiner:join()})
    assert.equal("failed", t:status())
  end)

  it("of a task that is being joined and cancelled by another goes to every join", function()
    local t = ipc.task(function()
      ipc.sleep(0.001)
      error("shared", 0)
    end)
    local joiners = {}
    for i = 1, 20 do joiners[i] = ipc.task(function() return t:join() end) end
    local gone = ipc.task(function() return t:join() end)
    ipc.yield()
    gone:cancel()
    for i = 1, 20 do assert.same({true, false, "shared"}, {joiners[i]:join()}) end
    assert.same({false, ipc.cancelled}, {gone:join()})
  end)

  it("in a codec, an iterator or a sort function leaves channel and task usable", function()
    local a, b = ipc.stream_channel_pair{codec = {encode = function() error({"odd"}) end, decode = tostring}}
    local t = ipc.task(function()
      local ok, err = pcall(a.send, a, 1)
      local sorted, why = pcall(table.sort, {2, 1}, function() error("in sort", 0) end)
      ipc.sleep(0.001)
      return ok, err[1], sorted, why, b:receive(0)
    end)
    assert.same({n = 7, true, false, "odd", false, "in sort", nil, "timeout"}, table.pack(t:join()))
  end)
end)
