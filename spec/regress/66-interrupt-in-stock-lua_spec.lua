-- SPDX-License-Identifier: MIT
-- In stock Lua, Ctrl-C sets a hook that raises "interrupted!". While the main chunk waited, no Lua code ran there that
-- could call the hook: one Ctrl-C did nothing, and the next one killed.

local homes = require "spec.support.homes"

-- The program is interrupted once it sleeps.
local PRELUDE <const> = [[
  local me = ipc.pid()
  local child = ipc.process(function(channel)
    channel:receive()
    local function asleep()
      local file <close> = io.open(("/proc/%d/stat"):format(me))
      return file:read "a":match "%) (%a)" == "S"
    end
    repeat ipc.sleep(0.001) until asleep()
    ipc.signal("INT"):dispatch(me)
    channel:receive()
  end)
  local function interrupted(wait)
    local closed = false
    local ok, why = pcall(function()
      local _ <close> = setmetatable({}, {__close = function() closed = true end})
      child.channel:send "now"
      wait()
    end)
    print(ok, tostring(why):match "interrupted", closed)
    ipc.sleep(0.001)
    print "goes on"
    child:close()
  end
]]

local programs = {
  ["it sleeps"] = "interrupted(function() ipc.sleep(100) end)",
  ["it sleeps beside timers"] =
    "local t = ipc.timer(0.01, function() end) interrupted(function() ipc.sleep(100) end) t:close()",
  ["it waits for a descriptor"] = "local a = ipc.stream_channel_pair() interrupted(function() a:receive() end)",
  ["it waits in shared memory"] = "local q = ipc.queue(ipc.private) interrupted(function() q:receive() end)",
  ["it waits for a mutex"] = [[
    local m = ipc.mutex(ipc.private)
    local t = ipc.task(function() m:acquire() ipc.sleep(100) end)
    ipc.yield()
    interrupted(function() m:acquire() end)
    t:close()]],
  ["it waits by a thread"] = [[
    local path = os.tmpname()
    local q = ipc.queue(ipc.file_key(path))
    interrupted(function() q:receive() end)
    q:remove()
    os.remove(path)]],
  ["it waits in a select"] =
    "local a, b = ipc.queue(ipc.private), ipc.queue(ipc.private) interrupted(function() ipc.select {a, b} end)",
  ["it waits for a task"] = "local t = ipc.task(ipc.sleep, 100) interrupted(function() t:join() end) t:close()",
  ["it waits for all tasks"] = "local t = ipc.task(ipc.sleep, 100) interrupted(ipc.run) t:close()",
  ["it makes steps"] = [[
    local t = ipc.task(ipc.sleep, 100)
    interrupted(function() while ipc.step() do end end)
    t:close()]],
  ["it waits in a coroutine"] = [[interrupted(coroutine.wrap(function() ipc.sleep(100) end))]],
  ["it waits in a coroutine of ours"] = [[interrupted(ipc.coroutine.wrap(function() ipc.sleep(100) end))]],
  ["it waits with a hook"] = [[
    debug.sethook(function() end, "crl")
    interrupted(function() ipc.sleep(100) end)
    debug.sethook()]],
}

describe("an interrupt of a main chunk #busy", function()
  for _, home in ipairs(homes) do
    for name, program in pairs(programs) do
      it("ends the wait while " .. name .. ", in " .. home.name, function()
        local output, status, errors = home.run(PRELUDE .. program)
        assert.equal("false\tinterrupted\ttrue\ngoes on\n", output, errors)
        assert.equal("exit 0", status)
      end)
    end

    it("is raised behind a result that came with it, in " .. home.name, function()
      local output, status, errors = home.run [[
        local q = ipc.queue(ipc.private)
        ipc.task(function()
          ipc.signal("INT"):dispatch(ipc.pid())
          q:send(1, "m")
        end)
        local ok, why = pcall(function() q:receive() for _ = 1, 100 do end end)
        print(ok, why:match "interrupted", (q:receive(0, 0)))]]
      assert.equal("false\tinterrupted\tnil\n", output, errors)
      assert.equal(home.name == "lua5.4" and "exit 0" or "exit 1", status) -- there the task is interrupted, too
    end)
  end

  it("that is a trap's is no other's", function()
    for _, home in ipairs(homes) do
      local output, status, errors = home.run [[
        local trap <close> = ipc.signal_trap "INT"
        ipc.task(function() ipc.signal("INT"):dispatch(ipc.pid()) end)
        ipc.sleep(0.001)
        print(trap:trapped().name)]]
      assert.equal("INT\n", output, errors)
      assert.equal("exit 0", status)
    end
  end)
end)
