-- SPDX-License-Identifier: MIT
-- What every engine's shared memory promises: slots that all processes see, changed by one at a time.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE, SANITIZED, collect = waits.PATIENCE, waits.SANITIZED, waits.collect
local EEXIST = 17
local HIGH, LOW = math.maxinteger, math.mininteger
local SLOTS = 40

local function make(key, slots) return ipc.shared_memory(key, slots or SLOTS) end

contract.each(_ENV, "shared memory", make, function(engine, open, keyed, key)
  -- fn(memory) in so many children at a time.
  local function everywhere(children, fn)
    local list = {}
    for i = 1, children do
      list[i] = assert(ipc.process(function(channel)
        local m = open()
        channel:send("ready")
        channel:receive()
        channel:send{fn(m, i)}
      end))
      assert.equal("ready", list[i].channel:receive(PATIENCE))
    end
    local results = {}
    for _, child in ipairs(list) do child.channel:send("go") end
    for i, child in ipairs(list) do
      results[i] = child.channel:receive(PATIENCE)
      assert.is_true(child:wait(PATIENCE))
    end
    return results
  end

  describe("has slots", function()
    it("that are all zero at first", function()
      local m <close> = open()
      assert.equal(SLOTS, #m)
      for i = 0, SLOTS - 1 do
        assert.equal(0, m[i])
        assert.equal("integer", math.type(m[i]))
      end
    end)

    it("for every integer of 64 bits", function()
      local m <close> = open()
      local values = {0, 1, -1, 42, 1 << 31, 1 << 32, (1 << 53) + 1, HIGH, LOW}
      for i, value in ipairs(values) do m[i] = value end
      for i, value in ipairs(values) do assert.equal(value, m[i]) end
      assert.equal(0, m[0])
      assert.equal(0, m[#values + 1])
    end)

    it("for floats with an integer's value, and finds slots by them", function()
      local m <close> = open()
      m[3.0] = -2.0^53
      assert.equal(-(1 << 53), m[3])
      assert.equal("integer", math.type(m[3.0]))
      assert.equal(-(1 << 53) + 1, m:add(3.0, 1.0))
    end)

    it("from the first to the last, and no others", function()
      local m <close> = open()
      m[SLOTS - 1] = 7
      assert.equal(7, m[SLOTS - 1])
      for _, slot in ipairs{-1, SLOTS, SLOTS + 1, 1 << 31, 1 << 32, 1 << 61, HIGH, LOW} do
        local text = ("slot %d is out of range: shared memory .* has %d slots"):format(slot, SLOTS):gsub("%-", "%%-")
        assert.error_matches(function() return m[slot] end, text)
        assert.error_matches(function() m[slot] = 1 end, text)
        assert.error_matches(function() m:add(slot, 1) end, text)
        assert.error_matches(function() m:compare_and_swap(slot, 0, 1) end, text)
        assert.error_matches(function() m:wait(slot, 0, 0) end, text)
      end
    end)

    it("that take nothing but integers", function()
      local m <close> = open()
      m[5] = 50
      for _, value in ipairs{1.5, 2.0^63, -2.0^64, 1 / 0, 0 / 0, "1", true, {}, print} do
        local got = type(value) == "number" and tostring(value):gsub("%p", "%%%0") or type(value)
        local text = "slot 5 takes integers, got " .. got
        assert.error_matches(function() m[5] = value end, text)
        assert.error_matches(function() m:add(5, value) end, text)
        assert.error_matches(function() m:compare_and_swap(5, value, 1) end, text)
        assert.error_matches(function() m:compare_and_swap(5, 50, value) end, text)
        assert.error_matches(function() m:wait(5, value, 0) end, text)
      end
      assert.error_matches(function() m[5] = nil end, "slot 5 takes integers, got nil")
      assert.error_matches(function() m:compare_and_swap(5, 50) end, "slot 5 takes integers, got no value for new")
      assert.error_matches(function() m:wait(5) end, "slot 5 takes integers, got no value for value")
      assert.equal(50, m[5])
    end)

    it("whose numbers are integers", function()
      local m <close> = open()
      for _, slot in ipairs{1.5, 2.0^63, 0 / 0, true, {}, print} do
        assert.error_matches(function() return m[slot] end, "a slot is an integer, got ")
        assert.error_matches(function() m[slot] = 1 end, "a slot is an integer, got ")
        assert.error_matches(function() m:add(slot, 1) end, "a slot is an integer, got ")
      end
      assert.error_matches(function() return m[nil] end, "a slot is an integer, got nil")
      assert.error_matches(function() m.add = 1 end, "a slot is an integer, got 'add'")
      assert.error_matches(function() return m["1"] end, "no method '1', and a slot is an integer")
      assert.error_matches(function() return m.length end, "no method 'length', and a slot is an integer")
      assert.error_matches(function() m["1"] = 1 end, "a slot is an integer, got '1'")
    end)

    it("of this class only", function()
      local m <close> = open()
      local mt = getmetatable(m)
      assert.equal("ipc.SharedMemory", mt.__name)
      for _, other in ipairs{io.stdout, ipc.timer(60), {}, "text", 1} do
        assert.has_error(function() return mt.__index(other, 0) end)
        assert.has_error(function() mt.__newindex(other, 0, 1) end)
        assert.has_error(function() m.add(other, 0, 1) end)
        assert.has_error(function() mt.__gc(other) end)
        if type(other) == "userdata" and other ~= io.stdout then other:close() end
      end
    end)
  end)

  it("adds, and tells the sum; it wraps around as Lua's integers do", function()
    local m <close> = open()
    assert.equal(5, m:add(0, 5))
    assert.equal(2, m:add(0, -3))
    assert.equal(2, m:add(0, 0))
    m[1] = HIGH
    assert.equal(LOW, m:add(1, 1))
    assert.equal(HIGH, m:add(1, -1))
    m[2] = LOW
    assert.equal(0, m:add(2, LOW))
    assert.same({2, HIGH, 0}, {m[0], m[1], m[2]})
  end)

  it("swaps a value only for the one that is expected, and tells what there is", function()
    local m <close> = open()
    assert.same({true}, {m:compare_and_swap(0, 0, 5)})
    assert.same({false, 5}, {m:compare_and_swap(0, 0, 6)})
    assert.same({true}, {m:compare_and_swap(0, 5, LOW)})
    assert.same({false, LOW}, {m:compare_and_swap(0, HIGH, 1)})
    assert.same({true}, {m:compare_and_swap(0, LOW, LOW)})
    assert.equal(LOW, m[0])
  end)

  it("is the same in every process", function()
    local m <close> = open()
    m[0] = 42
    local seen = everywhere(3, function(mine, i)
      mine[i] = mine[0] + i
      return mine[0], #mine
    end)
    assert.same({{42, SLOTS}, {42, SLOTS}, {42, SLOTS}}, seen)
    assert.same({42, 43, 44, 45, 0}, {m[0], m[1], m[2], m[3], m[4]})
  end)

  it("can be used through a handle that was there before the fork", function()
    local m <close> = open()
    m[0] = 1
    local child <close> = assert(ipc.process(function(channel)
      channel:send(m:add(0, 1))
      channel:receive()
      channel:send(m[0])
      m:close()
      collect()
    end))
    assert.equal(2, child.channel:receive(PATIENCE))
    assert.equal(12, m:add(0, 10))
    child.channel:send("go on")
    assert.equal(12, child.channel:receive(PATIENCE))
    assert.is_true(child:wait(PATIENCE))
    assert.equal(12, m[0])
  end)

  it("loses nothing that four processes add #slow #nosan", function()
    local times = engine.remote and 10000 or 1000000
    local m <close> = open()
    everywhere(4, function(mine, i)
      for _ = 1, times do mine:add(0, i) end
    end)
    assert.equal(10 * times, m[0])
  end)

  it("loses nothing that four processes add while others wait for it", function()
    local rounds = engine.remote and 1000 or SANITIZED and 2000 or 20000
    local m <close> = open()
    everywhere(6, function(mine, i)
      if i <= 4 then
        for _ = 1, rounds do mine:add(0, 1) end
      else
        local value = 0
        while value < 4 * rounds do value = assert(mine:wait(0, value, PATIENCE)) end
      end
    end)
    assert.equal(4 * rounds, m[0])
  end)

  it("lets four processes do what is no sum, by trying again", function()
    local rounds = engine.remote and 1000 or SANITIZED and 2000 or 50000
    local m <close> = open()
    m[1] = 1
    local failed = everywhere(4, function(mine)
      local again = 0
      for _ = 1, rounds do
        local current = mine[1]
        while true do
          local done, found = mine:compare_and_swap(1, current, current * 3 + 1)
          if done then break end
          current, again = found, again + 1
        end
      end
      return again
    end)
    local expected = 1
    for _ = 1, 4 * rounds do expected = expected * 3 + 1 end
    assert.equal(expected, m[1])
    assert.equal(4, #failed)
  end)

  describe("opened", function()
    keyed("twice, is the same", function()
      local a <close> = open()
      local b <close> = open()
      a[7] = 70
      assert.equal(70, b[7])
      a:close()
      assert.equal(71, b:add(7, 1))
    end)

    keyed("again, has what was written before", function()
      local m = open()
      m[7] = 70
      m:close()
      local again <close> = open()
      assert.equal(70, again[7])
    end)

    keyed("with another number of slots, says how many there are", function()
      local m <close> = open()
      for _, slots in ipairs{SLOTS - 1, SLOTS + 1, 1, 1 << 20} do
        local other, message, code = ipc.shared_memory(key(), slots)
        assert.is_nil(other)
        assert.matches(("has %d slots, not %d"):format(SLOTS, slots), message)
        assert.equal(EEXIST, code)
      end
      assert.equal(SLOTS, #m)
    end)

    it("for a number of slots that makes no sense, raises", function()
      for _, slots in ipairs{0, -1, (1 << 27) + 1, HIGH, LOW, 1.5, "many", {}} do
        assert.has_error(function() ipc.shared_memory(key(), slots) end)
      end
      assert.has_error(function() ipc.shared_memory(key()) end)
      assert.has_error(function() ipc.shared_memory("key", 1) end)
      assert.has_error(function() ipc.shared_memory(key(), 1, {mode = 8}) end)
    end)

    it("with one slot, or with a million, has them all", function()
      local one <close> = assert(ipc.shared_memory(engine.key(), 1))
      local many <close> = assert(ipc.shared_memory(engine.key(), 1000003))
      one[0], many[0], many[1000002] = 1, 2, 3
      assert.same({1, 2, 3}, {one[0], many[0], many[1000002]})
      assert.has_error(function() return one[1] end)
      assert.has_error(function() return many[1000003] end)
    end)

    keyed("at the same time by many processes, is one", function()
      local rounds = SANITIZED and 3 or 20
      for _ = 1, rounds do
        local fresh = engine.key()
        everywhere(6, function(_, i)
          local m <close> = assert(ipc.shared_memory(fresh, 8))
          m:add(0, i)
        end)
        local m <close> = assert(ipc.shared_memory(fresh, 8))
        assert.equal(21, m[0])
        m:remove()
      end
    end)
  end)

  describe("gives accessors", function()
    it("that read and write the same slots", function()
      local m <close> = open()
      local get, set = m:accessors()
      m[3] = 30
      assert.same({30}, {get(3)})
      assert.equal(0, select("#", set(4, LOW)))
      assert.same({LOW, HIGH}, {m[4], set(SLOTS - 1.0, HIGH) or get(SLOTS - 1.0)})
      assert.equal("integer", math.type(get(3.0)))
    end)

    it("of which one reads several slots at once", function()
      local m <close> = open()
      local get, set = m:accessors()
      for i = 1, SLOTS - 2 do set(i, i % 2 == 0 and -i or i << 40) end
      local expected = {}
      for i = 0, SLOTS - 1 do expected[i + 1] = m[i] end
      assert.same(expected, {get(0, SLOTS)})
      assert.same({m[7], m[8]}, {get(7, 2)})
      assert.same({m[9]}, {get(9, 1)})
      assert.same({0}, {get(SLOTS - 1, 1)})
    end)

    it("that raise as the slots do", function()
      local m <close> = open()
      local get, set = m:accessors()
      for _, slot in ipairs{-1, SLOTS, 1 << 32, HIGH, LOW} do
        local text = ("slot %d is out of range: shared memory .* has %d slots"):format(slot, SLOTS):gsub("%-", "%%-")
        assert.error_matches(function() get(slot) end, text)
        assert.error_matches(function() get(slot, 2) end, text)
        assert.error_matches(function() set(slot, 1) end, text)
      end
      assert.error_matches(function() get(1, SLOTS) end, "slot 40 is out of range")
      for _, count in ipairs{0, -1, 100001, HIGH, LOW, 1.5, "two", {}} do
        assert.error_matches(function() get(0, count) end, "the number of slots must be ")
      end
      for _, slot in ipairs{1.5, true, {}, "1"} do
        assert.error_matches(function() get(slot) end, "a slot is an integer, got ")
        assert.error_matches(function() set(slot, 1) end, "a slot is an integer, got ")
      end
      assert.error_matches(function() get() end, "a slot is an integer, got no value")
      assert.error_matches(function() set(1, 1.5) end, "slot 1 takes integers, got 1.5")
      assert.error_matches(function() set(1) end, "slot 1 takes integers, got no value")
      assert.has_error(function() m.accessors() end)
    end)

    it("that keep the memory, until it is closed", function()
      local m = open()
      local get, set = m:accessors()
      set(1, 11)
      m = setmetatable({m}, {__mode = "v"})
      collect()
      assert.equal(11, get(1))
      m[1]:close()
      for _, call in ipairs{function() get(1) end, function() get(1, 2) end, function() set(1, 1) end} do
        assert.error_matches(call, "shared memory .* is closed")
      end
    end)
  end)

  it("shows its state", function()
    local m = open()
    assert.matches("^ipc.SharedMemory %(.+, 40 slots%)$", tostring(m))
    m:remove()
    assert.matches("^ipc.SharedMemory %(.+, removed%)$", tostring(m))
    m:close()
    assert.matches("^ipc.SharedMemory %(.+, closed%)$", tostring(m))
  end)
end)
