-- SPDX-License-Identifier: MIT
-- Inside another loop ours was deaf to what that loop's own callbacks did: the descriptor told of a new task, a new
-- timer, a cancellation or the end of the last task only after the next ipc.step, for which there was no reason.

local ipc = require "ipc"

local PATIENCE <const> = 5000 -- ms

describe("a loop that is nested in another one", function()
  local found, uv = pcall(require, "luv")
  if not found then return pending("luv is not installed") end

  -- Runs act() in a callback of libuv, when ours has nothing to do; true when our loop came to its end in time.
  local function ends_after(act)
    local poll, start, late, over = assert(uv.new_poll(ipc.fileno())), uv.new_timer(), uv.new_timer(), false
    local function finish()
      for _, handle in ipairs{poll, start, late} do handle:close() end
    end
    poll:start("r", function()
      if ipc.step(0) then return end
      over = true
      finish()
    end)
    while ipc.step(0) and ipc.stats().deadlines + ipc.stats().timers == 0 do end
    start:start(2, 0, act)
    late:start(PATIENCE, 0, finish)
    uv.run()
    return over
  end

  it("is told of a task", function()
    local keep, ran = ipc.task(ipc.sleep, 100), false
    assert.is_true(ends_after(function()
      ipc.task(function()
        ran = true
        keep:cancel()
      end)
    end))
    assert.is_true(ran)
  end)

  it("is told of a timer", function()
    local keep = ipc.task(ipc.sleep, 100)
    assert.is_true(ends_after(function() ipc.after(0.002, function() keep:cancel() end) end))
  end)

  it("is told of a cancellation", function()
    local keep = ipc.task(ipc.sleep, 100)
    assert.is_true(ends_after(function() keep:cancel() end))
  end)

  it("is told that nothing is left", function()
    local keep = ipc.task(ipc.sleep, 100)
    assert.is_true(ends_after(function() keep:detach() end))
    local timer = ipc.timer(100, function() end)
    assert.is_true(ends_after(function() timer:stop() end))
    timer:start()
    assert.is_true(ends_after(function() timer:detach() end))
    timer:stop()
    keep:close()
  end)

  it("is told what came up while a callback waited", function()
    local keep = ipc.task(ipc.sleep, 100)
    assert.is_true(ends_after(function()
      ipc.task(function()
        ipc.sleep(0.01)
        keep:cancel()
      end)
      ipc.sleep(0.002)
    end))
  end)
end)
