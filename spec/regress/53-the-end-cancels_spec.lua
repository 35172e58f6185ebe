-- SPDX-License-Identifier: MIT
-- At the end of the program a task that was left was closed where it stood: a `<close>` variable in a coroutine of its
-- own was skipped, one that waits was cut off, and an error in one was swallowed. Now it is cancelled, with a bound.

local ipc = require "ipc"
local host = require "spec.support.homes"[1]
local waits = require "spec.support.waits"

local PRELUDE <const> = [[
  io.stdout:setvbuf "no"
  local function closing(fn) return setmetatable({}, {__close = fn}) end
  local function saying(text) return closing(function() print(text) end) end
  -- a task that has reached its wait
  local function left(fn) local t = ipc.task(fn) ipc.yield() return t end
]]

local function run(code)
  local output, status, errors = host.run(PRELUDE .. code)
  return {output, status, errors}
end

-- It was killed: that takes it a moment.
local function dead(pid)
  local deadline = ipc.now() + waits.PATIENCE
  repeat
    local file = io.open(("/proc/%d/stat"):format(pid))
    local state = file and file:read("a"):match("%) (%a)") or "X"
    if file then file:close() end
    if state:find "[ZX]" then return true end
    ipc.sleep(0.001)
  until ipc.now() > deadline
end

-- what clean-up has to do at each kind of end
local CLEANED <const> = "waited\ninner\nouter\n"
local CLEANER <const> = [[
  left(function()
    local _ <close> = saying "outer"
    coroutine.wrap(function()
      local _ <close> = closing(function()
        ipc.shield(function() ipc.sleep(0.001) ipc.yield() ipc.timeout(0.001, ipc.sleep, 100) print "waited" end)
        print "inner"
      end)
      ipc.sleep(1000)
    end)()
  end):detach()
]]

describe("the end of the program cancels what is left, and lets it clean up,", function()
  it("when nothing keeps it alive", function()
    assert.same({"end\n" .. CLEANED, "exit 0", ""}, run(CLEANER .. "print 'end'"))
  end)

  it("when the main chunk fails", function()
    local result = run(CLEANER .. "error 'no good'")
    assert.same({CLEANED, "exit 1"}, {result[1], result[2]})
    assert.matches("no good", result[3])
  end)

  for name, code in pairs {
    ["the main chunk"] = "os.exit(3, true)",
    ["a task"] = "ipc.task(function() os.exit(3, true) end) ipc.sleep(1000)",
    ["a task while the host runs on"] = "ipc.task(function() ipc.yield() os.exit(3, true) end)",
    ["a timer's function"] = "ipc.after(0.001, function() os.exit(3, true) end) ipc.sleep(1000)",
    ["a function that interrupts busy code"] = "ipc.after(0.001, function() os.exit(3, true) end) while true do end",
  } do
    it("at os.exit(status, true) in " .. name, function()
      assert.same({CLEANED, "exit 3", ""}, run(CLEANER .. code))
    end)
  end

  it("at the end of a forked function", function()
    assert.same({"end\n" .. CLEANED .. "true exit 0\n", "exit 0", ""}, run([[
      local child = ipc.process(function() ]] .. CLEANER .. [[ print "end" end)
      io.write(table.concat({tostring((child:wait())), "exit", 0}, " "), "\n")
    ]]))
  end)

  it("when it is one that keeps the program alive and the main chunk is interrupted", function()
    local result = run(CLEANER .. [[
      ipc.task(ipc.sleep, 1000)
      ipc.signal("INT"):dispatch(io.open("/proc/self/stat"):read("n"))
      while true do end
    ]])
    assert.same({CLEANED, "exit 130"}, {result[1], result[2]})
  end)
end)

describe("the end of the program", function()
  it("closes nothing at os.exit(status)", function()
    assert.same({"", "exit 3", ""}, run(CLEANER .. "os.exit(3)"))
  end)

  it("prints the errors of clean-up, and makes them the exit status", function()
    local result = run [[
      left(function() local _ <close> = closing(function() error "no clean-up" end) ipc.sleep(1000) end):detach()
      left(function() local _ <close> = saying "another" ipc.sleep(1000) end):detach()
    ]]
    assert.same({"another\n", "exit 1"}, {result[1], result[2]})
    assert.matches("^ipc: task .*: no clean%-up", result[3])
  end)

  it("lets clean-up have tasks, and cancels them when it is done", function()
    assert.same({"helper\nlast\n", "exit 0", ""}, run [[
      left(function()
        local _ <close> = closing(function()
          local helper = ipc.task(function() ipc.sleep(0.001) print "helper" end)
          ipc.task(function() local _ <close> = saying "last" ipc.sleep(1000) end)
          ipc.shield(helper.join, helper)
        end)
        ipc.sleep(1000)
      end):detach()
    ]])
  end)

  it("lets no task outlive its scope, its <close> or its timeout", function()
    for _, outer in ipairs {
      "ipc.scope(function(scope) scope:task(inner) ipc.sleep(1000) end)",
      "ipc.scope(function(scope) scope:task(inner) end)",
      "local _ <close> = ipc.task(inner) ipc.sleep(1000)",
      "ipc.timeout(1000, inner)",
    } do
      assert.same({"inner\nouter\n", "exit 0", ""}, run([[
        local begun
        local function inner()
          begun = true
          local _ <close> = closing(function() ipc.shield(ipc.sleep, 0.002) print "inner" end)
          ipc.sleep(1000)
        end
        left(function()
          local _ <close> = saying "outer"
          ]] .. outer .. [[
        end)
        repeat ipc.yield() until begun
        os.exit(0, true)
      ]]))
    end
  end)

  it("calls no timer's function and no listener any more", function()
    assert.same({"clean\n", "exit 0", ""}, run [[
      left(function()
        local _ <close> = closing(function()
          ipc.timer(0.0001, function() print "a tick" end)
          local usr1 = ipc.signal("USR1")
          usr1:handle(function() print "a signal" end)
          usr1:dispatch(io.open("/proc/self/stat"):read("n"))
          ipc.shield(ipc.sleep, 0.005)
          for _ = 1, 100000 do end
          print "clean"
        end)
        ipc.sleep(1000)
      end):detach()
    ]])
  end)

  it("does not wait for a task that never began, nor for the one that exits", function()
    assert.same({"", "exit 4", ""}, run [[
      ipc.task(function()
        local _ <close> = saying "its own"
        ipc.task(print, "never")
        os.exit(4, true)
      end)
    ]])
  end)

  -- these take the whole second
  it("waits a second for those that go on, and closes them where they stand", function()
    local result = run [[
      left(function()
        local _ <close> = saying "stubborn"
        while true do pcall(ipc.sleep, 1000) end
      end):detach()
      left(function()
        local _ <close> = closing(function() local ok = pcall(ipc.shield, ipc.sleep, 1) print("shielded", ok) end)
        ipc.shield(ipc.sleep, 1000)
      end):detach()
      left(function() -- a new one for each that ends
        local function again()
          ipc.task(function() local _ <close> = closing(again) ipc.sleep(1000) end):detach()
          pcall(ipc.shield, ipc.yield)
        end
        again()
      end):detach()
      local child = ipc.process(function(channel)
        ipc.signal("TERM"):ignore()
        channel:send "ready"
        ipc.sleep(1000)
      end)
      child.channel:receive()
      left(function() local _ <close> = child ipc.sleep(1000) end):detach()
      print(child.pid)
    ]]
    local pid = result[1]:match("^%d+\n")
    local lines = {}
    for line in result[1]:sub(#pid + 1):gmatch("[^\n]+") do lines[#lines + 1] = line end
    table.sort(lines)
    assert.same({"shielded\tfalse", "stubborn"}, lines)
    assert.equal("exit 0", result[2])
    assert.matches("^ipc: 3 tasks did not end within a second of the program's end, one at script:%d+\n$", result[3])
    assert.is_true(dead(tonumber(pid)))
  end)
end)
