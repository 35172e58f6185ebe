-- SPDX-License-Identifier: MIT
-- The sample of a worker that ends its work when its job is lost ended it at once where jobs have no lease: there
-- `lost` failed with ENOTSUP, as that of locks did. What cannot be lost is waited for all the same, until the hold or
-- the job ends in another way. In a select another case could close the job's queue, and its freed memory was read.

local ipc = require "ipc"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

local path <const> = os.tmpname()
teardown(function() os.remove(path) end)

local locks <const> = {
  ["a mutex"] = function() return ipc.mutex(ipc.private) end,
  ["a semaphore"] = function() return ipc.semaphore(ipc.private, 2) end,
  ["a file lock"] = function() return ipc.file_lock(path) end,
}

for name, open in pairs(locks) do
  describe("the loss of " .. name .. " without a lease", function()
    it("never comes", function()
      local lock <close> = assert(open())
      assert.error_matches(function() lock:lost(0) end, "is not held by this")
      lock:acquire()
      assert.same({nil, "timeout"}, {lock:lost(0)})
      assert.same({nil, "timeout"}, {lock:lost(0.001)})
      local work <close> = ipc.task(waits.settle)
      assert.same({2, true}, {ipc.select{{lock, "lost"}, {work, "join"}}})
      assert.is_true(lock:release())
      local t = waits.waiting(function()
        lock:acquire()
        lock:lost()
      end)
      t:cancel()
      assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
    end)

    it("is not waited for longer than the lock is open", function()
      local lock = assert(open())
      local t = waits.waiting(function()
        lock:acquire()
        return lock:lost()
      end)
      lock:close()
      assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
    end)
  end)
end

it("a wait for the loss of a permit ends when another task gives it back", function()
  local semaphore <close> = assert(ipc.semaphore(ipc.private, 1))
  local t = waits.waiting(function()
    semaphore:acquire()
    return semaphore:lost()
  end)
  assert.is_true(semaphore:release())
  assert.same({true, true}, {t:join(PATIENCE)})
end)

it("a select has the release of what it waits to lose", function()
  local mutex <close> = assert(ipc.mutex(ipc.private))
  mutex:acquire()
  assert.same({2, true}, {ipc.select{{mutex, "lost"}, {mutex, "release"}}})
  assert.is_nil(mutex:holder())
end)

it("a child has none of its parent's waits", function()
  local queue, mutex = assert(ipc.queue(ipc.private)), assert(ipc.mutex(ipc.private))
  queue:send(1, "x")
  local job = queue:take()
  local waiting = {
    waits.waiting(job.lost, job),
    waits.waiting(function()
      mutex:acquire()
      return mutex:lost()
    end),
  }
  local child <close> = assert(ipc.process(function(channel)
    channel:send{job:lost(), select(2, job:done())}
    queue:close()
    mutex:close()
  end))
  assert.same({true, "expired"}, child.channel:receive(PATIENCE))
  assert.is_true(child:wait(PATIENCE))
  for _, t in ipairs(waiting) do assert.equal("waiting", t:status()) end
  assert.is_true(job:release())
  mutex:close()
  assert.same({true, true}, {waiting[1]:join(PATIENCE)})
  assert.same({true, nil, "closed"}, {waiting[2]:join(PATIENCE)})
  queue:close()
end)
