-- SPDX-License-Identifier: MIT
-- In stock Lua one Ctrl-C did not end a wait: lua5.4 sets a hook in the main chunk's coroutine, which was called when
-- that went on, and so never. The second one killed the program, and its `<close>` variables did not run.

local home = require "spec.support.homes" [2]

if not home then return end -- the sanitizer's runtime

-- A child sends SIGINT, when its parent sleeps or at once.
local PRELUDE <const> = [[
  local function interrupt(at_once)
    local parent = ipc.pid()
    ipc.process(function()
      repeat
        local file = io.open("/proc/" .. parent .. "/stat")
        local state = file and file:read("a"):match("%) (%a)")
        if file then file:close() end
      until state ~= "R" or at_once
      ipc.signal("INT"):dispatch(parent)
    end)
  end
  local _ <close> = setmetatable({}, {__close = function() print "closed" end})
]]

local waits = {
  ["a sleep"] = "ipc.sleep(100)",
  ["a receive from a channel"] = "local a, b = ipc.stream_channel_pair() b:receive()",
  ["a receive from a queue"] = "local q = ipc.queue(ipc.private) q:receive()",
  ["an acquire"] = "local s = ipc.semaphore(ipc.private, 1) s:acquire() s:acquire()",
  ["a select"] = "local q = ipc.queue(ipc.private) ipc.select {q, ipc.timer(100)}",
  ["a join"] = "ipc.task(ipc.sleep, 100):join()",
  ["a scope"] = "ipc.scope(function(scope) scope:task(ipc.sleep, 100) end)",
  ["ipc.run"] = "ipc.task(ipc.sleep, 100) ipc.run()",
  ["ipc.step"] = "ipc.task(ipc.sleep, 100) while ipc.step() do end",
  ["a wait of a coroutine"] = "coroutine.wrap(function() ipc.sleep(100) end)()",
  ["a wait of a coroutine, on a futex"] =
    "local q = ipc.queue(ipc.private) coroutine.wrap(function() q:receive() end)()",
}

local busy = {
  ["ipc.yield"] = "while true do ipc.yield() end",
  ["calls that are served at once"] = "local q = ipc.queue(ipc.private) while true do q:send(1, 1) q:receive() end",
  ["a wait beside tasks that run"] =
    "for _ = 1, 3 do ipc.task(function() while true do ipc.yield() end end) end ipc.sleep(100)",
}

describe("Ctrl-C in stock Lua", function()
  local function check(code)
    local output, status, errors = home.run(PRELUDE .. code)
    assert.equal("closed\n", output, errors)
    assert.equal("exit 1", status)
    assert.matches("interrupted!", errors, 1, true)
  end

  for where, wait in pairs(waits) do
    it("ends " .. where, function() check("interrupt() " .. wait) end)
  end

  for where, wait in pairs(busy) do
    it("ends " .. where, function() check("interrupt(true) " .. wait) end)
  end

  it("raises an error like others, once", function()
    local output, status, errors = home.run(PRELUDE .. [[
      interrupt()
      print(pcall(coroutine.wrap(function() ipc.sleep(100) end)))
      print(pcall(ipc.sleep, 0.001))
      for _ = 1, 1000 do end]])
    assert.equal("false\tinterrupted!\ntrue\nclosed\n", output, errors)
    assert.equal("exit 0", status)
  end)

  it("is no matter of a hook that was there before, or comes from a task", function()
    local output, status, errors = home.run(PRELUDE .. [[
      local calls = 0
      debug.sethook(function() calls = calls + 1 end, "c")
      local main = coroutine.running()
      ipc.sleep(0.001)
      ipc.task(function() debug.sethook(main) ipc.sleep(0.001) debug.sethook(main, function() end, "c") end):join()
      interrupt()
      print(pcall(ipc.sleep, 100))]])
    assert.equal("false\tinterrupted!\nclosed\n", output, errors)
    assert.equal("exit 0", status)
  end)
end)
