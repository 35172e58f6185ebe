-- SPDX-License-Identifier: MIT
-- Ctrl-C while a listener or a timer's function computed, over a main chunk that never waits, ended that call and
-- nothing else: the main chunk was not told. And one that came together with what the main chunk waited for took that
-- away from it: a mutex without a holder was locked for ever.

local home = require "spec.support.homes" [1] -- in stock Lua SIGINT is lua5.4's own

local PRELUDE <const> = [[
  local signal, pid = ipc.signal("INT"), ipc.pid()
  local function interrupt() signal:dispatch(pid) end
  local function compute() while true do end end
  local function both() interrupt() compute() end
  local function listen(fn)
    local usr1 = ipc.signal("USR1")
    usr1:handle(fn)
    return usr1:dispatch(pid)
  end
  local _ <close> = setmetatable({}, {__close = function() print "closed" end})
]]

local programs = {
  ["a listener computes over a busy main chunk"] = "listen(both) compute()",
  ["a listener computes over a busy coroutine"] = "coroutine.wrap(function() listen(both) compute() end)()",
  ["a listener computes over a busy task"] = "ipc.task(function() listen(both) compute() end):join()",
  ["a listener computes while the main chunk waits"] = "listen(both) ipc.sleep(100)",
  ["a listener computes while tasks are ready"] =
    "for _ = 1, 100 do ipc.task(function() while true do ipc.yield() end end) end listen(both) ipc.sleep(100)",
  ["the first of two listeners computes"] = [[
    local usr1 = ipc.signal_handler "USR1"
    usr1:add(function() print "told" end)
    usr1:add(both)
    ipc.signal("USR1"):dispatch(pid)
    compute()]],
  ["a listener waits"] = "listen(function() interrupt() ipc.sleep(100) end) compute()",
  ["a listener catches it"] = "listen(function() pcall(both) end) compute()",
  ["a listener catches it, and goes on"] =
    "listen(function() pcall(both) for i = 1, 1000 do coroutine.wrap(print)() end end) compute()",
  ["a listener's coroutine swallows it"] = "listen(function() coroutine.resume(coroutine.create(both)) end) compute()",
  ["a timer's function computes"] = "local t t = ipc.timer(0.001, function() t:stop() both() end) compute()",
  ["a timer's function computes while the main chunk waits"] = "ipc.after(0, both) ipc.sleep(100)",
  ["a task computes"] = "ipc.task(both) ipc.sleep(100)",
  ["a task computes after the end of the main chunk's text"] = "ipc.task(both)",
  ["a task's coroutine swallows it"] =
    "ipc.task(function() coroutine.resume(coroutine.create(both)) ipc.sleep(100) end):join()",
  ["the main chunk computes"] = "both()",
  ["the main chunk's coroutine computes"] = "coroutine.wrap(both)()",
  ["the main chunk waits"] = "ipc.after(0, interrupt) ipc.sleep(100)",
  ["the main chunk yields"] = "ipc.after(0, interrupt) while true do ipc.yield() end",
  ["the main chunk is served at once"] =
    "local q = ipc.queue(ipc.private) ipc.after(0, interrupt) while true do q:send(1, 1) q:receive() end",
}

describe("an interrupt #busy", function()
  for where, program in pairs(programs) do
    it("ends the main chunk: " .. where, function()
      local output, status, errors = home.run(PRELUDE .. program)
      assert.equal("exit 130", status, errors)
      assert.matches("closed\n$", output)
    end)
  end

  it("is over when the main chunk has caught it", function()
    local output, status, errors = home.run(PRELUDE .. [[
      local ok, why = pcall(function() listen(both) compute() end)
      print(ok, why:match "interrupted")
      for _ = 1, 3 do ipc.task(function() for _ = 1, 1000 do end ipc.yield() end):join() end
      print "went on"]])
    assert.equal("false\tinterrupted\nwent on\nclosed\n", output, errors)
    assert.equal("exit 1", status) -- as after any error in a listener or task
  end)

  it("leaves no lock behind that came with it", function()
    local output, status, errors = home.run(PRELUDE .. [[
      local mutex = ipc.mutex(ipc.private)
      local holder = ipc.task(function()
        mutex:acquire()
        ipc.yield()
        mutex:release()
        both()
      end)
      print((pcall(function()
        repeat ipc.yield() until mutex:holder()
        mutex:acquire()
        compute()
      end)))
      holder:join()
      print(pcall(mutex.release, mutex))
      print(mutex:try_acquire())]])
    assert.equal("false\ntrue\ttrue\ntrue\nclosed\n", output, errors)
    assert.equal("exit 1", status) -- as after any error in a listener or task
  end)
end)
