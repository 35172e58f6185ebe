-- SPDX-License-Identifier: MIT
-- A listener that sent its own signal to its own process was called again and again, and nothing else ever ran: no
-- task, no timer, not even the code it had interrupted.

local ipc = require "ipc"
local waits = require "spec.support.waits"

-- Has fn called, and again as a consequence of each call, until run() has returned; how often.
local chains = {
  ["a signal's function"] = function(goes_on)
    local signal = ipc.signal("USR1")
    signal:handle(function() if goes_on() then signal:dispatch(ipc.pid()) end end)
    signal:dispatch(ipc.pid())
    return signal
  end,
  ["a listener"] = function(goes_on)
    local handler, signal = ipc.signal_handler("RTMIN+1"), ipc.signal("RTMIN+1")
    handler:add(function() if goes_on() then signal:dispatch(ipc.pid(), 1) end end)
    signal:dispatch(ipc.pid(), 1)
    return handler
  end,
  ["a listener that waits"] = function(goes_on)
    local handler, signal = ipc.signal_handler("USR1"), ipc.signal("USR1")
    handler:add(function()
      ipc.yield()
      if goes_on() then signal:dispatch(ipc.pid()) end
    end)
    signal:dispatch(ipc.pid())
    return handler
  end,
  ["two that signal each other"] = function(goes_on)
    local one, two = ipc.signal("USR1"), ipc.signal("USR2")
    one:handle(function() if goes_on() then two:dispatch(ipc.pid()) end end)
    two:handle(function() if goes_on() then one:dispatch(ipc.pid()) end end)
    one:dispatch(ipc.pid())
    return setmetatable({}, {__index = {close = function()
      one:close()
      two:close()
    end}})
  end,
  ["a timer's function"] = function(goes_on)
    local function tick() if goes_on() then ipc.after(0, tick) end end
    ipc.after(0, tick)
    return ipc.timer(1)
  end,
  ["a waiter"] = function(goes_on)
    local signal = ipc.signal("USR1")
    signal:wait(0)
    local task = ipc.task(function()
      while goes_on() do
        signal:dispatch(ipc.pid())
        signal:wait()
      end
    end)
    return setmetatable({}, {__index = {close = function()
      task:join()
      signal:close()
    end}})
  end,
}

local function beside(chain, run)
  local calls, over, deadline = 0, false, ipc.now() + waits.PATIENCE
  local source = chains[chain](function()
    calls = calls + 1
    return not over and ipc.now() < deadline
  end)
  run()
  over = true
  assert.is_true(ipc.now() < deadline)
  source:close()
  for _ = 1, 3 do ipc.yield() end -- the last ones
  assert.is_true(calls > 0)
end

describe("beside a listener that causes its own next call", function()
  for chain in pairs(chains) do
    it("everything else goes on: " .. chain, function()
      beside(chain, function() ipc.sleep(0.01) end)
      beside(chain, function() ipc.task(ipc.sleep, 0.001):join() end)
      beside(chain, function() for _ = 1, 200 do ipc.yield() end end)
      beside(chain, function()
        local ticks = 0
        local timer <close> = ipc.timer(0.001, function() ticks = ticks + 1 end)
        assert.matches("running", tostring(timer))
        repeat ipc.sleep(0.001) until ticks > 2
      end)
    end)

    it("code that never waits goes on: " .. chain .. " #busy", function()
      beside(chain, function()
        local n = 0
        for i = 1, 200000 do n = n + i end
        assert.equal(200000 * 200001 // 2, n)
        ipc.sleep(0.001)
      end)
    end)

    it("ipc.dispatch() comes to an end: " .. chain, function()
      local was = ipc.signals_async(false)
      finally(function() ipc.signals_async(was) end)
      beside(chain, function()
        for _ = 1, 3 do ipc.dispatch() end
        ipc.sleep(0.001)
      end)
    end)
  end
end)
