-- SPDX-License-Identifier: MIT
-- A task that was about to be told "abandoned", and whose handle was closed before it ran, was told "closed" instead;
-- then no task was told, and what the mutex protects was not repaired.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

for _, engine in ipairs(engines.of(ipc.mutex)) do
  describe("a mutex of a holder that failed, on " .. engine.name, function()
    if engine.missing then return pending(engine.missing) end
    if engine.private then return end -- it has one handle
    after_each(engine.cleanup)

    it("tells the next one, if the handle of the one before it has been closed", function()
      local key = engine.key()
      local first, second, third = assert(ipc.mutex(key)), assert(ipc.mutex(key)), assert(ipc.mutex(key))
      local holder = waits.waiting(function()
        assert(first:acquire(PATIENCE))
        ipc.sleep(PATIENCE)
      end)
      first:holder() -- a server has answered
      local waiter = waits.waiting(second.acquire, second, PATIENCE)
      holder:cancel() -- it ends, which wakes the waiter; then the handle is closed; then the waiter runs
      local closing = ipc.task(second.close, second)
      assert.is_true(closing:join(PATIENCE))
      local _, got, why = waiter:join(PATIENCE)
      local ok, how = third:acquire(PATIENCE)
      assert.is_true(ok)
      if got then
        assert.equal("abandoned", why) -- with a server: the answer had not come
        assert.is_nil(how)
      else
        assert.equal("closed", why)
        assert.equal("abandoned", how)
      end
      third:remove()
      first:close()
      third:close()
    end)
  end)
end
