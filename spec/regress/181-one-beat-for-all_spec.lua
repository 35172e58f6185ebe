-- SPDX-License-Identifier: MIT
-- Each task that waited for a lock on a server was kept in line by itself: 10,000 of one process cost the server 12,000
-- commands a second while nothing happened. A process keeps all its places, and what it holds, with one command.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

describe("a lock on a server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("is waited for by many tasks at the price of one", function()
    local TASKS <const>, BEATS <const> = 300, 3
    local server <close> = redis_process()
    local m <close> = assert(ipc.mutex(server:key("line"), {lease = 3}))
    m:acquire()
    local tasks, served = {}, 0
    for i = 1, TASKS do
      tasks[i] = waits.waiting(function()
        local guard <close> = assert(m:hold(PATIENCE))
        served = served + 1
        assert(guard)
      end)
    end
    for _ = 1, 3 do m:holder() end -- all stand in line
    server:cli("config resetstat")
    local deadline, beats, commands = ipc.now() + PATIENCE, 0, 0
    while beats < BEATS do
      assert.is_true(ipc.now() < deadline, "its lease is not kept")
      ipc.sleep(0.1)
      beats, commands = 0, 0
      for name, calls in server:cli("info commandstats"):gmatch("cmdstat_([%w|]+):calls=(%d+)") do
        if name == "pexpire" then beats = tonumber(calls) end
        if name ~= "info" and not name:find("config") then commands = commands + calls end
      end
    end
    assert.is_true(commands <= 3 * beats, commands .. " commands for " .. beats)
    m:release()
    for _, t in ipairs(tasks) do assert.is_true(t:join(PATIENCE)) end
    assert.equal(TASKS, served)
    assert.equal("ipclua:{line}:mutex:meta", server:cli("keys '*'"))
  end)
end)
