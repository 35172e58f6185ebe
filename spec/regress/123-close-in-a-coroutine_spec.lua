-- SPDX-License-Identifier: MIT
-- An error that left a coroutine of coroutine.wrap closed its variables where nothing can wait: a scope raised that,
-- in place of the error or the cancellation, and left its tasks behind; a shield could not wait either. In
-- coroutine.close() nothing can wait still; there a scope cancels its tasks, and the error stays what it was.

local ipc = require "ipc"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local coroutine = setmetatable({}, {__index = function(_, name) return ipc.coroutine[name] end})

local function closing(fn) return setmetatable({}, {__close = fn}) end

-- A task that takes some turns to end when it is cancelled, and then says so.
local function slow(log)
  local _ <close> = closing(function()
    ipc.shield(function() for _ = 1, 5 do ipc.yield() end end)
    log[#log + 1] = "ended"
  end)
  ipc.sleep(PATIENCE)
end

local regions = {}

function regions.scope(log, wait)
  ipc.scope(function(scope)
    scope:task(slow, log)
    wait()
  end)
end

function regions.timeout(log, wait)
  ipc.timeout(PATIENCE, function()
    local other <close> = ipc.task(slow, log)
    waits.settle()
    assert(other:status() == "waiting")
    wait()
  end)
end

regions["task that is closed"] = function(log, wait)
  local _ <close> = ipc.task(slow, log)
  waits.settle()
  wait()
end

describe("a coroutine of a task", function()
  for name, region in pairs(regions) do
    it("that an error leaves waits for the tasks of its " .. name, function()
      local log, problem = {}, {}
      local generator = coroutine.wrap(function()
        coroutine.yield "first"
        region(log, function()
          waits.settle()
          error(problem)
        end)
      end)
      local task = ipc.task(function()
        assert(generator() == "first")
        local ok, err = pcall(generator)
        log[#log + 1] = ok or err
      end)
      assert.is_true(task:join(PATIENCE))
      assert.equal("ended", log[1])
      assert.is_true(log[2] == problem)
    end)

    it("that a cancellation leaves waits for the tasks of its " .. name, function()
      local log, asleep = {}, false
      local task = ipc.task(coroutine.wrap(function()
        region(log, function()
          asleep = true
          ipc.sleep(PATIENCE)
        end)
      end))
      repeat ipc.yield() until asleep
      task:cancel()
      local ok, err = task:join(PATIENCE)
      assert.is_false(ok)
      assert.is_true(err == ipc.cancelled)
      assert.equal("cancelled", task:status())
      assert.same({"ended"}, log)
    end)
  end

  it("waits in a shield while an error leaves it", function()
    local task = ipc.task(function()
      coroutine.wrap(function()
        local _ <close> = closing(function() ipc.shield(ipc.sleep, 0.001) end)
        error("as it was", 0)
      end)()
    end)
    local ok, err = task:join(PATIENCE)
    assert.is_false(ok)
    assert.matches("as it was$", err)
  end)

  it("keeps its arguments, and refuses to be resumed while it runs", function()
    local again
    again = coroutine.wrap(function(...)
      local ok, why = pcall(again, 1, 2, 3)
      return select("#", ...), ok, why
    end)
    local count, ok, why = again(nil, 2, nil)
    assert.equal(3, count)
    assert.is_false(ok)
    assert.matches("non%-suspended", why)
    assert.has_error(again)
  end)

  it("that is closed cancels the tasks of its scope", function()
    local task = ipc.task(function()
      local log = {}
      local co = coroutine.create(function()
        ipc.scope(function(scope)
          scope:task(slow, log)
          waits.settle()
        end)
      end)
      local inner = ipc.task(coroutine.resume, co) -- waits in the scope, and so does the coroutine
      waits.settle()
      inner:cancel()
      local _, ok, err = inner:join()
      assert.is_false(ok)
      assert.is_true(err == ipc.cancelled)
      local closed, same = coroutine.close(co)
      assert.is_false(closed)
      assert.is_true(same == ipc.cancelled)
      repeat ipc.yield() until log[1]
    end)
    assert(task:join(PATIENCE))
  end)
end)
