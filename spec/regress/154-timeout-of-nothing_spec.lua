-- SPDX-License-Identifier: MIT
-- ipc.timeout(0, fn) cancelled its task before that had begun: a message that was there was not received, though a
-- timeout of 0 tries once everywhere.

local ipc = require "ipc"

local function both(name, fn)
  it(name .. ", on the main chunk", fn)
  it(name .. ", in a task", function() assert(ipc.task(fn):join()) end)
end

describe("ipc.timeout(0)", function()
  both("returns what is there", function()
    local queue = ipc.queue(ipc.private)
    queue:send(1, "there")
    assert.same({"there", 1}, {ipc.timeout(0, queue.receive, queue)})
    assert.same({nil, "timeout"}, {ipc.timeout(0, queue.receive, queue)})
    assert.equal("computed", ipc.timeout(0, function() return "computed" end))
  end)

  both("has its try beside tasks that are always ready", function()
    local stop
    for _ = 1, 50 do ipc.task(function() while not stop do ipc.yield() end end) end
    for i = 1, 50 do assert.equal(i, ipc.timeout(0, function() return i end)) end
    stop = true
  end)

  both("cancels what waits, and is cancelled", function()
    local closed = 0
    local function wait()
      local _ <close> = setmetatable({}, {__close = function() closed = closed + 1 end})
      ipc.sleep(100)
    end
    assert.same({nil, "timeout"}, {ipc.timeout(0, wait)})
    local task
    task = ipc.task(ipc.timeout, 0, function() task:cancel() wait() end)
    assert.same({false, ipc.cancelled}, {task:join()})
    assert.equal(2, closed)
  end)
end)
