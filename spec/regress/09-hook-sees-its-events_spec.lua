-- SPDX-License-Identifier: MIT
-- A debug hook of the user's got events that it had not asked for, and missed some that it had, when a signal or timer
-- interrupted the code: ours takes its place for a moment, for more events than the user's may have. And a coroutine
-- that was used again for another task kept the hook that the former one had set.

local homes = require "spec.support.homes"

describe("a hook of the user's", function()
  for _, home in ipairs(homes) do
    it("gets its events and no others while timers interrupt, in " .. home.name .. " #busy", function()
      local output, status, errors = home.run [[
        local ticks, N, calls, returns, lines, others = 0, 50000, 0, 0, 0, 0
        local timer = ipc.timer(0.0005, function() ticks = ticks + 1 end):stop()
        local function f()
          return true
        end
        local inside = debug.getinfo(f, "S").linedefined + 1
        local function events(event, line)
          if event == "line" then
            if line == inside then lines = lines + 1 end
          elseif event == "count" then
            others = others + 1
          elseif debug.getinfo(2, "f").func == f then
            if event == "return" then returns = returns + 1 else calls = calls + 1 end
          end
        end
        for _, mask in ipairs{"c", "r", "l", "crl"} do
          calls, returns, lines = 0, 0, 0
          local before = ticks
          debug.sethook(events, mask)
          timer:start()
          for i = 1, N do f() end
          timer:stop()
          debug.sethook()
          lines = lines >= N and N or lines -- Lua tells a line anew after it was interrupted
          print(mask, calls, returns, lines, others, ticks > before)
        end
        local wrong = 0
        debug.sethook(function(event) if event ~= "count" then wrong = wrong + 1 end end, "", 100)
        local before = ticks
        timer:start()
        while ticks < before + 20 do end
        timer:stop()
        debug.sethook()
        print(wrong)]]
      assert.equal("c\t50000\t0\t0\t0\ttrue\nr\t0\t50000\t0\t0\ttrue\nl\t0\t0\t50000\t0\ttrue\n"
        .. "crl\t50000\t50000\t50000\t0\ttrue\n0\n", output, errors)
      assert.equal("exit 0", status)
    end)

    it("is not that of a task that has ended, in " .. home.name, function()
      local output, status, errors = home.run [[
        local calls = 0
        local function count() calls = calls + 1 end
        local function busy() local before = calls for i = 1, 1000 do end return calls - before end
        debug.sethook(function() end, "", 1000)
        local function set() debug.sethook(count, "", 10) return busy() > 0 end
        print(ipc.task(function() set() end):join())
        print(ipc.task(busy):join())
        local first, second
        ipc.after(0, function() first = set() end)
        ipc.sleep(0.001)
        ipc.after(0, function() second = busy() end)
        while not second do ipc.yield() end
        print(first, second)]]
      assert.equal("true\ntrue\t0\ntrue\t0\n", output, errors)
      assert.equal("exit 0", status)
    end)
  end
end)
