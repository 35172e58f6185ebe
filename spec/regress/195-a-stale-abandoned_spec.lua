-- SPDX-License-Identifier: MIT
-- A file lock said "abandoned" of what nobody had abandoned: a task's calls share the memory of one operation, and the
-- answer of the last mutex was still in it. A kind of lock that has no such answer does not write one.

local ipc = require "ipc"

describe("an answer that a lock does not give", function()
  local mutex, lock, path

  before_each(function()
    path = os.tmpname()
    mutex = ipc.mutex(ipc.private)
    lock = assert(ipc.file_lock(path))
    assert.is_true(ipc.task(mutex.acquire, mutex):join())
  end)

  after_each(function()
    mutex:close()
    lock:close()
    os.remove(path)
  end)

  it("is not that of the lock before", function()
    assert.same({true, "abandoned"}, {mutex:acquire(0)})
    assert.same({true}, {lock:acquire(0)})
  end)

  it("is not that of the guard before, or of the case of a select", function()
    local held, how = mutex:hold(0)
    assert.equal("abandoned", how)
    held:close()
    local which
    which, held, how = ipc.select{{lock, "hold"}}
    assert.same({1, "ipc.Guard", nil}, {which, tostring(held):match("^[%w.]+"), how})
    held:close()
  end)
end)
