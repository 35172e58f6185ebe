-- SPDX-License-Identifier: MIT
-- What listened in the parent was dead in a forked child, and said nothing: a trap never trapped there, and a listener
-- that was added was never called.

local ipc = require "ipc"
local waits = require "spec.support.waits"

-- Runs fn(pid) in a forked child; what it returns.
local function in_child(fn)
  local child = assert(ipc.process(function(channel) channel:send({pcall(fn, ipc.pid())}) end))
  local results = assert(child.channel:receive(waits.PATIENCE))
  child:wait()
  child.channel:close()
  return table.unpack(results)
end

local function until_true(condition)
  local deadline = ipc.now() + waits.PATIENCE
  repeat ipc.yield() until condition() or ipc.now() > deadline
  return condition()
end

describe("in a forked child, what the parent has made", function()
  it("of a trap raises, and can be closed", function()
    local trap <close> = ipc.signal_trap("USR1", "USR2")
    for _, method in ipairs{"trapped", "wait", "reset"} do
      local ok, why = in_child(function() return trap[method](trap, 0) end)
      assert.is_false(ok)
      assert.matches("signal trap is another process's", why)
    end
    assert.is_true((in_child(function()
      trap:close()
      collectgarbage()
      local own <close> = ipc.signal_trap("USR1")
      ipc.signal("USR1"):dispatch(ipc.pid())
      return own:wait(waits.PATIENCE).name == "USR1"
    end)))
    ipc.signal("USR2"):dispatch(ipc.pid())
    assert.equal("USR2", trap:wait(waits.PATIENCE).name)
  end)

  it("of a handler is as new", function()
    local called = 0
    local handler <close> = ipc.signal_handler("USR1")
    handler:add(function() called = called + 100 end)
    assert.same({true, true, 1}, {in_child(function(pid)
      local signal = ipc.signal("USR1")
      handler:add(function() called = called + 1 end)
      signal:dispatch(pid)
      local seen = until_true(function() return called > 0 end)
      handler:close()
      return seen, called
    end)})
    ipc.signal("USR1"):dispatch(ipc.pid())
    assert.is_true(until_true(function() return called == 100 end))
  end)

  it("of a signal is as new", function()
    local called = 0
    local signal <close> = ipc.signal("USR1")
    signal:handle(function() called = called + 100 end)
    signal:wait(0)
    signal:dispatch(ipc.pid())
    assert.same({true, "USR1", 1, true}, {in_child(function(pid)
      called = 0
      assert(signal:wait(0) == nil) -- what has come to the parent
      signal:dispatch(pid)
      local info = signal:wait(waits.PATIENCE)
      signal:handle(function() called = called + 1 end)
      signal:dispatch(pid)
      until_true(function() return called > 0 end)
      signal:ignore()
      signal:dispatch(pid)
      signal:default()
      return info.name, called, tostring(signal) == "ipc.Signal (SIGUSR1)"
    end)})
    assert.equal("USR1", signal:wait(waits.PATIENCE).name)
  end)

  it("is collected there without harm", function()
    local handler, signal, trap = ipc.signal_handler("USR1"), ipc.signal("USR1"), ipc.signal_trap("USR1")
    handler:add(print)
    signal:ignore()
    assert.same({true, true}, {in_child(function(pid)
      handler, signal, trap = nil, nil, nil
      collectgarbage()
      collectgarbage()
      local own <close> = ipc.signal_trap("USR1")
      ipc.signal("USR1"):dispatch(pid)
      return own:wait(waits.PATIENCE) ~= nil
    end)})
    trap:close()
    signal:close()
    handler:close()
  end)
end)
