-- SPDX-License-Identifier: MIT
-- The coroutine of a task that had ended served the next task. What a program, or a library such as a pool of
-- connections, had kept by coroutine.running() was then found by a stranger.

local ipc = require "ipc"

local ROUNDS <const> = 40 -- more than were kept to be used again

-- What `run(fn)` shows of the coroutines in which fn is called: how many times one comes again.
local function seen_again(run)
  local seen, again = {}, 0
  local function look()
    local co = coroutine.running()
    if seen[co] then again = again + 1 end
    seen[co] = true
  end
  for _ = 1, ROUNDS do run(look) end
  return again
end

describe("what is kept by coroutine.running()", function()
  it("is one task's", function()
    assert.equal(0, seen_again(function(fn) ipc.task(fn):join() end))
  end)

  it("is one callback's", function()
    assert.equal(0, seen_again(function(fn)
      local done = false
      ipc.after(0, function()
        fn()
        done = true
      end)
      repeat ipc.yield() until done
    end))
  end)

  it("is one listener call's", function()
    local signal <close> = ipc.signal("USR2")
    local pid = tonumber(io.open("/proc/self/stat"):read("n")) --[[@as integer]]
    assert.equal(0, seen_again(function(fn)
      signal:handle(fn)
      signal:dispatch(pid)
      ipc.dispatch()
    end))
  end)

  it("stays with a coroutine that has ended", function()
    local co
    ipc.task(function() co = coroutine.running() end):join()
    local task = ipc.task(ipc.sleep, 100)
    ipc.yield()
    assert.equal("dead", coroutine.status(co))
    task:close()
  end)
end)
