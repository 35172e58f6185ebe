-- SPDX-License-Identifier: MIT
-- What every engine's shared memory promises to a wait for a slot: no change is missed, and every end is told.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE, SANITIZED = waits.PATIENCE, waits.SANITIZED
local settle, waiting = waits.settle, waits.waiting
local TIMEOUT, CLOSED, REMOVED = {nil, "timeout"}, {nil, "closed"}, {nil, "removed"}
local SLOTS = 100

local function make(key, slots) return ipc.shared_memory(key, slots or SLOTS) end

contract.each(_ENV, "shared memory", make, function(engine, open, keyed)
  -- A child that waits for a slot, says what it was told ("nil" for nil), and goes on until told to end.
  local function watcher(slot, value)
    local child = assert(ipc.process(function(channel)
      local m = open()
      local t = waiting(function()
        local new, why = m:wait(slot, value, PATIENCE)
        channel:send{new or "nil", why}
      end)
      channel:send("waiting")
      t:join()
      channel:receive()
    end))
    assert.equal("waiting", child.channel:receive(PATIENCE))
    return child
  end

  -- Long enough for a child to sleep in the kernel: nothing tells of that.
  local function asleep(child) assert.same(TIMEOUT, {child.channel:receive(0.01)}) end

  describe("waits", function()
    it("not at all for what is different already", function()
      local m <close> = open()
      m[3] = 30
      assert.equal(30, m:wait(3, 0))
      assert.equal(30, m:wait(3, 29, 0))
      assert.equal(0, m:wait(4, 30, PATIENCE))
    end)

    it("for a change by another task", function()
      local m <close> = open()
      local t = waiting(function() return m:wait(3, 0, PATIENCE) end)
      m[3] = -1
      assert.same({true, -1}, {t:join(PATIENCE)})
      t = waiting(function() return m:wait(3, -1) end)
      assert.equal(4, m:add(3, 5))
      assert.same({true, 4}, {t:join(PATIENCE)})
      t = waiting(function() return m:wait(3, 4) end)
      assert.is_true(m:compare_and_swap(3, 4, 5))
      assert.same({true, 5}, {t:join(PATIENCE)})
    end)

    local changes = {
      ["is written"] = function(m) m[3] = 7 end,
      ["is added to"] = function(m) m:add(3, 7) end,
      ["is swapped"] = function(m) m:compare_and_swap(3, 0, 7) end,
    }
    for what, change in pairs(changes) do
      it("for another process until a slot " .. what, function()
        local m <close> = open()
        local child <close> = watcher(3, 0)
        asleep(child)
        change(m)
        assert.same({7}, child.channel:receive(PATIENCE))
        local t = waiting(function() return m:wait(3, 7, PATIENCE) end)
        local other = assert(ipc.process(function()
          local mine = open()
          mine[3] = 0
          change(mine)
          mine:add(3, 1)
        end))
        assert.is_true(other:wait(PATIENCE))
        local ok, value = t:join(PATIENCE)
        assert.is_true(ok)
        assert.is_true(value == 0 or value == 8, value)
      end)
    end

    it("on the main chunk, while tasks go on", function()
      local m <close> = open()
      local t = ipc.task(function()
        settle()
        m[0] = 9
      end)
      assert.equal(9, m:wait(0, 0, PATIENCE))
      assert.is_true(t:join())
    end)

    it("for this slot and no other, and until it is another value", function()
      local m <close> = open()
      local child <close> = watcher(3, 0)
      asleep(child)
      for slot = 0, SLOTS - 1 do
        if slot ~= 3 then m[slot] = 1 end
      end
      m[3] = 0
      m:add(3, 0)
      m:compare_and_swap(3, 0, 0)
      m:compare_and_swap(3, 1, 2)
      asleep(child)
      m[3] = 1
      assert.same({1}, child.channel:receive(PATIENCE))
    end)

    it("for as long as it says, and not less", function()
      local m <close> = open()
      for _, seconds in ipairs{0.001, 0.03} do
        local start = ipc.now()
        assert.same(TIMEOUT, {m:wait(0, 0, seconds)})
        assert.is_true(ipc.now() - start >= seconds)
      end
      assert.same(TIMEOUT, {m:wait(0, 0, 0)})
      for _, timeout in ipairs{-1, -0.001, 0 / 0, "soon", {}} do
        assert.has_error(function() m:wait(0, 0, timeout) end)
      end
      m[0] = 1
      assert.equal(1, m:wait(0, 0, 0))
    end)

    it("until it is cancelled", function()
      local m <close> = open()
      local first = waiting(function() return m:wait(0, 0) end)
      local second = waiting(function() return m:wait(0, 0, PATIENCE) end)
      first:cancel()
      assert.same({false, ipc.cancelled}, {first:join(PATIENCE)})
      m[0] = 1
      assert.same({true, 1}, {second:join(PATIENCE)})
    end)

    it("with many, each for its own", function()
      local rounds = SANITIZED and 3 or 20
      local m <close> = open()
      local child <close> = assert(ipc.process(function(channel)
        local mine = open()
        for round in channel:messages() do
          for slot = SLOTS - 1, 0, -1 do mine[slot] = round end
        end
      end))
      for round = 1, rounds do
        local tasks = {}
        for i = 0, 3 * SLOTS - 1 do
          tasks[i] = ipc.task(m.wait, m, i % SLOTS, round - 1, PATIENCE)
        end
        if round % 2 == 0 then ipc.sleep(0.001) end -- in every other round they sleep
        child.channel:send(round)
        for i = 0, 3 * SLOTS - 1 do assert.same({true, round}, {tasks[i]:join(PATIENCE)}) end
      end
    end)

    it("in turn with others, and no change is missed", function()
      local children, rounds = 4, SANITIZED and 100 or 1500
      local m <close> = open()
      local list = {}
      for i = 1, children do
        list[i] = assert(ipc.process(function()
          local mine = open()
          local value = mine[0]
          while value < rounds * children do
            if value % children == i - 1 then value = mine:add(0, 1)
            else value = assert(mine:wait(0, value, PATIENCE)) end
          end
        end))
      end
      for _, child in ipairs(list) do assert.is_true(child:wait(3 * PATIENCE)) end
      assert.equal(rounds * children, m[0])
    end)
  end)

  describe("in a select", function()
    it("tells which slot has changed", function()
      local m <close> = open()
      local cases = {{m, "wait", 1, 0}, {m, "wait", 2, 0}, {m, "wait", 34, 0}, tick = ipc.timer(PATIENCE)}
      assert.same(TIMEOUT, {ipc.select(cases, 0)})
      for round = 1, 3 do
        local t = waiting(ipc.select, cases, PATIENCE)
        if round == 3 then ipc.sleep(0.001) end -- so that the loop has blocked
        m[2] = 5
        assert.same({true, 2, 5}, {t:join(PATIENCE)})
        m[2] = 0
      end
      m[1], m[34] = 1, 2
      assert.same({1, 1}, {ipc.select(cases, 0)})
      m[1] = 0
      assert.same({3, 2}, {ipc.select(cases, PATIENCE)})
      cases.tick:close()
    end)

    it("wakes all waiters for the same, with several cases each", function()
      local m <close> = open()
      local tasks = {}
      for i = 1, 20 do
        tasks[i] = ipc.task(ipc.select, {{m, "wait", i, 0}, {m, "wait", 0, 0}, {m, "wait", i, 0}}, PATIENCE)
      end
      settle()
      m[7] = 1
      m[0] = 2
      for i = 1, 20 do
        local ok, which, value = tasks[i]:join(PATIENCE)
        assert.is_true(ok)
        if which == 2 then assert.equal(2, value) else assert.same({7, 1}, {i, value}) end
      end
    end)

    it("needs to be told what to wait for", function()
      local m <close> = open()
      assert.error_matches(function() ipc.select({m}) end, "select: case 1: must be an object that waits")
      assert.has_error(function() ipc.select({{m, "wait"}}) end)
      assert.has_error(function() ipc.select({{m, "wait", SLOTS, 0}}) end)
    end)
  end)

  describe("closed,", function()
    it("wakes the waiters on the handle", function()
      local m = open()
      local t = waiting(function() return m:wait(0, 0) end)
      local u = waiting(function() return ipc.select({{m, "wait", 1, 0}, {m, "wait", 2, 0}}) end)
      m:close()
      m:close()
      assert.same({true, table.unpack(CLOSED, 1, 2)}, {t:join(PATIENCE)})
      assert.same({true, 1, nil, "closed"}, {u:join(PATIENCE)})
      for _, call in ipairs{
        function() return m[0] end, function() m[0] = 1 end, function() return #m end,
        function() m:add(0, 1) end, function() m:compare_and_swap(0, 0, 1) end,
        function() m:wait(0, 0, 0) end, function() m:remove() end,
      } do
        assert.error_matches(call, "shared memory .* is closed")
      end
    end)

    keyed("wakes no waiter on another handle", function()
      local a <close> = open()
      local b = open()
      local t = waiting(function() return a:wait(0, 0, PATIENCE) end)
      ipc.sleep(0.001) -- so that the loop has blocked
      b[1] = 5
      b:close()
      assert.equal("waiting", t:status())
      assert.equal(5, a[1])
      a[0] = 1
      assert.same({true, 1}, {t:join(PATIENCE)})
    end)
  end)

  describe("removed,", function()
    it("wakes the waiters, in this and in other processes", function()
      local m <close> = open()
      local child <close> = watcher(0, 0)
      asleep(child)
      local t = waiting(function() return m:wait(0, 0, PATIENCE) end)
      local u = waiting(function() return ipc.select({{m, "wait", 1, 0}}, PATIENCE) end)
      assert.is_true(m:remove())
      assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
      assert.same({true, 1, nil, "removed"}, {u:join(PATIENCE)})
      assert.same({"nil", "removed"}, child.channel:receive(PATIENCE))
    end)

    local where = engine.remote and "is not there any more" or "goes on as memory of those that have it"
    it("tells so for good, and " .. where, function()
      local m <close> = open()
      local child <close> = watcher(1, 0)
      m:remove()
      assert.same({"nil", "removed"}, child.channel:receive(PATIENCE))
      assert.same(REMOVED, {m:remove()})
      assert.same(REMOVED, {m:wait(0, 0)})
      assert.same(REMOVED, {m:wait(0, 1, 0)})
      if engine.remote then
        assert.error_matches(function() m[0] = 5 end, "shared memory .*: removed$")
        assert.error_matches(function() return m[0] end, "shared memory .*: removed$")
        assert.same(REMOVED, {m:add(0, 1)})
        assert.same(REMOVED, {m:compare_and_swap(0, 6, 7)})
        assert.equal(SLOTS, #m)
        return
      end
      m[0] = 5
      assert.equal(6, m:add(0, 1))
      assert.is_true(m:compare_and_swap(0, 6, 7))
      assert.equal(7, m[0])
      assert.equal(SLOTS, #m)
    end)

    keyed("makes room for a new one", function()
      local m <close> = open()
      m[0] = 5
      m:remove()
      local new <close> = open(3)
      assert.equal(0, new[0])
      new[0] = 6
      assert.equal(6, new[0])
      if not engine.remote then assert.equal(5, m[0]) end
      assert.same(REMOVED, {m:remove()})
      assert.equal(6, open(3)[0])
      local other <close> = assert(ipc.process(function(channel) channel:send(open(3)[0]) end))
      assert.equal(6, other.channel:receive(PATIENCE))
    end)

    it("by another process, tells so", function()
      local m <close> = open()
      local t = waiting(function() return m:wait(0, 0, PATIENCE) end)
      local child = assert(ipc.process(function() assert(open():remove()) end))
      assert.is_true(child:wait(PATIENCE))
      assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
      assert.matches("removed", tostring(m))
    end)
  end)

  describe("and processes that die:", function()
    it("one that waits is no loss to the others", function()
      local m <close> = open()
      local dead, child <close> = watcher(0, 0), watcher(0, 0)
      asleep(dead)
      asleep(child)
      dead:signal("KILL")
      dead:wait()
      m[0] = 1
      assert.same({1}, child.channel:receive(PATIENCE))
      local t = waiting(function() return m:wait(0, 1, PATIENCE) end)
      m[0] = 2
      assert.same({true, 2}, {t:join(PATIENCE)})
    end)

    it("writers and waiters killed at any moment leave the slots to the others", function()
      local kills = SANITIZED and 15 or 150
      local m <close> = open()
      local function writer()
        return assert(ipc.process(function(channel)
          local mine = open()
          channel:send("ready")
          while true do mine:add(5, 1) end
        end))
      end
      local function reader()
        return assert(ipc.process(function(channel)
          local mine = open()
          channel:send("ready")
          local value = 0
          while true do value = mine:wait(5, value) end
        end))
      end
      local others <close> = reader()
      for i = 1, kills do
        local victim = i % 2 == 0 and writer() or reader()
        assert.equal("ready", victim.channel:receive(PATIENCE))
        local before = m[5]
        local t = ipc.task(m.wait, m, 5, before, PATIENCE)
        ipc.sleep(math.random() * 0.0005)
        victim:signal("KILL")
        victim:wait()
        m:add(5, 1)
        local ok, value = t:join(PATIENCE)
        assert.is_true(ok)
        assert.is_true(value and value > before, value)
      end
      assert.equal("ready", others.channel:receive(PATIENCE))
    end)
  end)

  it("in a forked child, knows nothing of its parent's waits", function()
    local m <close> = open()
    local tasks = {}
    for i = 1, 3 do tasks[i] = waiting(function() return m:wait(i, 0, PATIENCE) end) end
    ipc.sleep(0.001) -- so that the loop has blocked
    local child = assert(ipc.process(function(channel)
      channel:send(#ipc.tasks())
      channel:send(m:wait(1, 0, PATIENCE))
      m[2] = 20
    end))
    assert.equal(0, child.channel:receive(PATIENCE))
    m[1] = 10
    assert.equal(10, child.channel:receive(PATIENCE))
    assert.is_true(child:wait(PATIENCE))
    m[3] = 30
    for i = 1, 3 do assert.same({true, 10 * i}, {tasks[i]:join(PATIENCE)}) end
  end)
end)
