-- SPDX-License-Identifier: MIT
-- An answer that came when its call had timed out already, but before the task was resumed, was told once more; the
-- request was freed, and then looked at by the task.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"

describe("an answer that comes behind its timeout", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("is thrown away, also if the task has not been resumed yet", function()
    local server <close> = redis_process()
    local patient <close> = assert(ipc.queue(server:key("patient"))) -- so that the connection stays
    local made
    repeat made = ipc.queue(server:key("late", nil, "&timeout=0.01")) until made -- the machine may be busy
    local q <close> = made
    local over = false
    local others = {}
    for i = 1, 20 do -- so that the loop turns before all that is ready has been resumed
      others[i] = ipc.task(function()
        while not over do
          local till = ipc.now() + 0.0005
          repeat until ipc.now() > till
          ipc.yield()
        end
      end)
    end
    for _ = 1, 60 do
      server:signal("STOP")
      local calls = {}
      for i = 1, 5 do calls[i] = ipc.task(q.peek, q) end
      local till = ipc.now() + 0.01
      repeat ipc.yield() until ipc.now() > till
      server:signal("CONT")
      for _, call in ipairs(calls) do call:join() end
    end
    over = true
    for _, task in ipairs(others) do task:join() end
    assert.is_true(patient:send(1, "x"))
  end)
end)
