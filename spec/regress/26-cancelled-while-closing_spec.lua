-- SPDX-License-Identifier: MIT
-- A task that was closing a child when it was cancelled, perhaps for the second time, went on at once: the child
-- had got its TERM, but nothing waited for it, and one that ignored TERM was never killed. Two workers of a pool
-- whose jobs failed at the same time were enough.

local ipc = require "ipc"

local PATIENCE <const> = 20

describe("a task that closes a child", function()
  it("is not stopped by a cancellation before the child has ended", function()
    local child = assert(ipc.process {"cat", stdin = "pipe"})
    local task = ipc.task(function()
      local _ <close> = child
      ipc.sleep(1000)
    end)
    ipc.yield()
    child:signal("STOP") -- so that it is there until it is told to go on
    repeat
      local file <close> = assert(io.open(("/proc/%d/stat"):format(child.pid)))
    until file:read("a"):match("%) (%a)") == "T"
    task:cancel()
    ipc.yield()
    task:cancel()
    ipc.yield()
    assert.equal("waiting", task:status())
    child:signal("KILL")
    assert.same({false, ipc.cancelled}, {task:join(PATIENCE)})
    assert.matches("ended", tostring(child))
    assert.same({nil, "signal", 9}, {child:wait(0)})
  end)
end)
