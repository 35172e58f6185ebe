-- SPDX-License-Identifier: MIT
-- File locks: holding them, exclusively or shared, and waiting for them.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local settle, waiting, holder, waiter = waits.settle, waits.waiting, contract.holder, contract.waiter
local TIMEOUT = {nil, "timeout"}

describe("a file lock", function()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)

  local function open() return assert(ipc.file_lock(path)) end

  -- Whether another handle could lock it.
  local function free(how)
    local other <close> = open()
    return (other:acquire(0, how)) or false
  end

  describe("is held", function()
    it("by one, exclusively", function()
      local lock <close> = open()
      assert.same({true}, {lock:acquire()})
      assert.same(TIMEOUT, {lock:try_acquire()})
      assert.is_false(free())
      assert.is_false(free("shared"))
      assert.same({true}, {lock:release()})
      assert.same({true}, {lock:acquire(0, "exclusive")})
      assert.same({true}, {lock:release()})
      assert.is_true(free())
    end)

    it("by a handle: two of one process are two holders", function()
      local a <close> = open()
      local b <close> = open()
      a:acquire()
      assert.same(TIMEOUT, {b:acquire(0)})
      assert.same(TIMEOUT, {b:acquire(0.001)})
      assert.error_matches(function() b:release() end, "file lock .* is not held by this handle")
      a:release()
      assert.same({true}, {b:acquire(0)})
      assert.same(TIMEOUT, {a:acquire(0)})
    end)

    it("by a task: two through one handle are two holders", function()
      local lock <close> = open()
      local t = waiting(function()
        local _ <close> = lock:hold()
        ipc.sleep(100)
      end)
      assert.same(TIMEOUT, {lock:acquire(0)})
      t:close()
      assert.same({true}, {lock:acquire(0)})
      for _, method in ipairs{"acquire", "hold"} do
        assert.error_matches(function() lock[method](lock) end, "file lock .* is held by this task already")
      end
    end)

    it("by many that share it, or by one", function()
      local a <close> = open()
      local b <close> = open()
      local c <close> = open()
      assert.same({true}, {a:acquire(nil, "shared")})
      assert.same({true}, {b:acquire(0, "shared")})
      assert.same(TIMEOUT, {c:acquire(0)})
      local t = waiting(function() return c:acquire(PATIENCE) end)
      a:release()
      settle()
      assert.equal("waiting", t:status())
      b:release()
      assert.same({true, true}, {t:join(PATIENCE)})
      assert.same(TIMEOUT, {a:acquire(0, "shared")})
      c:release()
      assert.same({true}, {a:acquire(0, "shared")})
    end)

    it("by tasks that share it, until the last has released", function()
      local lock <close> = open()
      assert(lock:acquire(nil, "shared"))
      assert(lock:acquire(nil, "shared"))
      local t = waiting(function() return lock:acquire(PATIENCE) end)
      local u = waiting(function() return lock:acquire(PATIENCE, "shared") end) -- and does not overtake
      lock:release()
      settle()
      assert.equal("waiting", t:status())
      assert.is_true(free("shared"))
      lock:release()
      assert.same({true, true}, {t:join(PATIENCE)})
      assert.is_false(free("shared"))
      lock:release()
      assert.same({true, true}, {u:join(PATIENCE)})
      assert.is_true(free("shared"))
      assert.is_false(free())
    end)

    it("by many readers or one writer, of all processes", function()
      local lock <close> = open()
      lock:acquire()
      local readers = {}
      for i = 1, 3 do readers[i] = waiter(open, PATIENCE, "shared") end
      lock:release()
      for _, reader in ipairs(readers) do assert.same({true}, reader.channel:receive(PATIENCE)) end
      assert.same({true}, {lock:acquire(0, "shared")})
      lock:release()
      local writer = waiter(open, PATIENCE)
      for _, reader in ipairs(readers) do
        assert.same(TIMEOUT, {writer.channel:receive(0.001)})
        reader:close()
      end
      assert.same({true}, writer.channel:receive(PATIENCE))
      assert.same(TIMEOUT, {lock:acquire(0, "shared")})
      writer:close()
    end)

    it("and is never lost", function()
      local lock <close> = open()
      assert.error_matches(function() lock:lost() end, "file lock .* is not held by this task")
      lock:acquire()
      assert.same({nil, "timeout"}, {lock:lost(0)})
    end)

    it("in no other way", function()
      local lock <close> = open()
      for _, how in ipairs{"Shared", "both", "", 1, {}} do
        assert.has_error(function() lock:acquire(0, how) end)
      end
      for _, timeout in ipairs{-1, 0 / 0, "soon", {}} do
        assert.has_error(function() lock:acquire(timeout) end)
        assert.has_error(function() lock:hold(timeout) end)
      end
      assert.is_true(free())
    end)
  end)

  describe("is waited for", function()
    it("by a task of this process, through the same or another handle", function()
      local a <close> = open()
      local b <close> = open()
      a:acquire()
      local t = waiting(function() return a:acquire(PATIENCE) end)
      a:release()
      assert.same({true, true}, {t:join(PATIENCE)})
      t = waiting(function() return b:acquire(PATIENCE) end)
      a:release()
      assert.same({true, true}, {t:join(PATIENCE)})
    end)

    it("by another process", function()
      local lock <close> = open()
      lock:acquire()
      local child <close> = waiter(open, PATIENCE)
      assert.same(TIMEOUT, {child.channel:receive(0.01)})
      lock:release()
      assert.same({true}, child.channel:receive(PATIENCE))
      assert.same(TIMEOUT, {lock:acquire(0)})
    end)

    it("on the main chunk, while tasks go on", function()
      local a <close> = open()
      local b <close> = open()
      a:acquire()
      local t = ipc.task(function()
        settle()
        a:release()
      end)
      assert.same({true}, {b:acquire(PATIENCE)})
      assert.is_true(t:join())
    end)

    it("in the order in which tasks came to a handle", function()
      local lock <close> = open()
      lock:acquire()
      local order, tasks, expected = {}, {}, {}
      for i = 1, 12 do
        tasks[i] = ipc.task(function()
          if not lock:acquire(i == 4 and 0.001 or PATIENCE) then return end
          order[#order + 1] = i
          if i % 3 == 0 then settle() end
          lock:release()
        end)
        if i ~= 4 and i ~= 9 then expected[#expected + 1] = i end
      end
      settle()
      tasks[4]:join(PATIENCE) -- one gives up, another is cancelled
      tasks[9]:close()
      lock:release()
      for i = 1, 12 do tasks[i]:join(PATIENCE) end
      assert.same(expected, order)
      assert.is_true(free())
    end)

    it("until a timeout, not less", function()
      local lock <close> = open()
      local child <close> = holder(open)
      for _, seconds in ipairs{0.001, 0.03} do
        for _, how in ipairs{"exclusive", "shared"} do
          local start = ipc.now()
          assert.same(TIMEOUT, {lock:acquire(seconds, how)})
          assert.is_true(ipc.now() - start >= seconds)
        end
      end
      child.channel:send("release")
      assert.equal("released", child.channel:receive(PATIENCE))
      assert.is_true(free())
    end)

    it("until cancelled, and it is not lost", function()
      local a <close> = open()
      local b <close> = open()
      a:acquire()
      local t = waiting(function() return b:acquire() end)
      local u = waiting(function() return b:acquire(PATIENCE) end)
      ipc.sleep(0.001) -- so that a thread waits for it
      t:cancel()
      assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
      a:release()
      assert.same({true, true}, {u:join(PATIENCE)})
      b:release()
      assert.is_true(free())
    end)

    it("with others in a select", function()
      local other = os.tmpname()
      finally(function() os.remove(other) end)
      local a <close> = open()
      local b <close> = assert(ipc.file_lock(other))
      local list = {a, {b, "acquire", "shared"}}
      assert.has_error(function() ipc.select(list, 0) end) -- a timeout comes before how
      list = {a, {b, "acquire", nil, "shared"}}
      assert.same({1, true}, {ipc.select(list, PATIENCE)})
      assert.same({2, true}, {ipc.select(list, PATIENCE)})
      local c <close> = open()
      local d <close> = assert(ipc.file_lock(other))
      assert.same(TIMEOUT, {ipc.select({c, d}, 0.001)})
      local t = waiting(function() return ipc.select({x = c, y = {d, "hold"}}, PATIENCE) end)
      ipc.sleep(0.001)
      b:release()
      local _, which, guard = t:join(PATIENCE)
      assert.equal("y", which)
      assert.same(TIMEOUT, {b:acquire(0)})
      guard:close()
      a:release()
      assert.is_true(free())
      assert.same({true}, {b:acquire(0)})
    end)

    it("until its handle is closed, though it was granted to a task that has not run since", function()
      local other <close> = open()
      for _, method in ipairs{"acquire", "hold"} do
        local lock = open()
        local mine <const> = lock:hold()
        local t = ipc.task(function() return lock[method](lock, PATIENCE) end)
        ipc.yield()
        mine:close()
        lock:close()
        assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
        assert.same({true}, {other:acquire(0)})
        other:release()
      end
    end)

    it("until its handle is closed", function()
      local a, b <close> = open(), open()
      b:acquire()
      local t = waiting(function() return a:acquire(PATIENCE) end)
      local u = waiting(function() return a:hold(PATIENCE) end)
      ipc.sleep(0.001)
      a:close()
      assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
      assert.same({true, nil, "closed"}, {u:join(PATIENCE)})
      b:release()
      assert.is_true(free())
    end)
  end)

  it("shows its state", function()
    local lock = open()
    assert.equal(("ipc.FileLock (%s, not held)"):format(path), tostring(lock))
    lock:acquire()
    assert.equal(("ipc.FileLock (%s, held)"):format(path), tostring(lock))
    lock:close()
    assert.equal(("ipc.FileLock (%s, closed)"):format(path), tostring(lock))
  end)
end)
