-- SPDX-License-Identifier: MIT
-- Shared memory of file keys: segments that C, PHP's shmop and Python's sysv_ipc share, whichever made them.

local ipc = require "ipc"
local peer = require "spec.support.peer"
local engines = require "spec.support.engines"
local quiet = require "spec.support.quiet"
local waits = require "spec.support.waits"

local PATIENCE, SANITIZED, waiting = waits.PATIENCE, waits.SANITIZED, waits.waiting
local EEXIST, EINVAL, ENOTSUP = 17, 22, 95
local HIGH, LOW = math.maxinteger, math.mininteger
local SLOTS = 16

local sysv = engines.sysv

describe("a System V segment", function()
  if sysv.missing then return pending(sysv.missing) end

  local key, id
  before_each(function()
    key = sysv.key()
    id = tostring(key.id)
  end)
  after_each(sysv.cleanup)
  teardown(peer.clean)

  local function open(slots) return assert(ipc.shared_memory(key, slots or SLOTS)) end

  -- id of the segment with the key; how many have it attached
  local function listed()
    local text = peer.output("ipcs -m")
    local pattern = ("0x%08x%%s+(%%d+)%%s+%%S+%%s+(%%d+)%%s+%%d+%%s+(%%d+)"):format(key.id & 0xffffffff)
    local number, mode, attached = text:match(pattern)
    return tonumber(number), mode, tonumber(attached)
  end

  for name, file in pairs{C = "memory.c", PHP = "memory.php", Python = "memory.py"} do
    describe("of ours, with " .. name .. " as a peer", function()
      it("has the same numbers in the same places", function()
        local m <close> = open()
        local other <close> = peer.start(file, id)
        for slot, value in pairs{[0] = 42, [1] = -1, [SLOTS - 1] = HIGH, [2] = LOW, [3] = (1 << 53) + 1} do
          m[slot] = value
          assert.equal(tostring(value), other:ask("get " .. slot))
        end
        for slot, value in pairs{[0] = -42, [1] = 1 << 40, [SLOTS - 1] = LOW, [2] = HIGH} do
          assert.equal(tostring(value), other:ask(("set %d %d"):format(slot, value)))
          assert.equal(value, m[slot])
        end
        assert.equal("-40", other:ask("add 0 2"))
        assert.equal(-39, m:add(0, 1))
        assert.is_true(m:compare_and_swap(0, -39, 5))
        assert.equal("5", other:ask("get 0"))
      end)

      it("is removed by one for the other", function()
        local m <close> = open()
        m[0] = 5
        local other <close> = peer.start(file, id)
        assert.is_true(m:remove())
        assert.equal("5", other:ask("get 0"))
        other:close()
        assert.is_nil((listed()))
        local new <close> = open()
        assert.equal(0, new[0])
        local third <close> = peer.start(file, id)
        assert.equal("0", third:ask("remove"))
        assert.matches("removed", tostring(new))
        assert.same({nil, "removed"}, {new:remove()})
        assert.same({nil, "removed"}, {new:wait(0, 0, PATIENCE)}) -- it looks before it sleeps
      end)
    end)

    describe("that " .. name .. " made", function()
      it("works for everything but waiting", function()
        local other <close> = peer.start(file, id, SLOTS)
        assert.equal(tostring(8 * SLOTS), other:ask("size"))
        local m <close> = open()
        assert.equal(SLOTS, #m)
        assert.equal("7", other:ask("set 3 7"))
        assert.equal(7, m[3])
        m[SLOTS - 1] = LOW
        assert.equal(tostring(LOW), other:ask("get " .. SLOTS - 1))
        assert.equal(9, m:add(3, 2))
        assert.same({false, 9}, {m:compare_and_swap(3, 7, 1)})
        assert.is_true(m:compare_and_swap(3, 9, 10))
        for _, timeout in ipairs{0, PATIENCE} do
          local value, message, code = m:wait(3, 10, timeout)
          assert.is_nil(value)
          assert.matches("was made by another program, and has no room for what waiting needs", message)
          assert.equal(ENOTSUP, code)
          assert.equal(ENOTSUP, (select(3, m:wait(3, 11, timeout))))
        end
        assert.equal(ENOTSUP, (select(4, ipc.select({{m, "wait", 3, 10}}, PATIENCE))))
        assert.is_true(m:remove())
        assert.same({nil, "removed"}, {m:remove()})
        assert.equal("10", other:ask("get 3"))
        assert.is_nil((listed()))
      end)

      it("has to have the same size", function()
        local other <close> = peer.start(file, id, SLOTS)
        for _, slots in ipairs{1, SLOTS - 1, SLOTS + 1, 2 * SLOTS} do
          local m, message, code = ipc.shared_memory(key, slots)
          assert.is_nil(m)
          assert.matches(("has %d slots, not %d"):format(SLOTS, slots), message)
          assert.equal(EEXIST, code)
        end
        assert.equal("0", other:ask("get 0"))
      end)
    end)
  end

  it("adds up what C and Lua add at the same time", function()
    local rounds = SANITIZED and 10000 or 200000
    local m <close> = open()
    local other <close> = peer.start("memory.c", id)
    other:tell(("many 5 %d"):format(rounds))
    for _ = 1, rounds do m:add(5, 1) end
    assert.is_true(tonumber(other:hear()) >= rounds)
    assert.equal(2 * rounds, m[5])
  end)

  it("wakes a wait for what C wrote with the next change of ours", function()
    local m <close> = open()
    local other <close> = peer.start("memory.c", id)
    local t = waiting(function() return m:wait(5, 0, PATIENCE) end)
    assert.same({nil, "timeout"}, {other:hear(0.005)}) -- time for it to sleep in the kernel
    assert.equal("1", other:ask("add 5 1"))
    m:add(5, 0)
    assert.same({true, 1}, {t:join(PATIENCE)})
  end)

  it("that is no array of such numbers is refused", function()
    local maker = "import sys; from sysv_ipc import SharedMemory as M, IPC_CREX; "
      .. "M(int(sys.argv[1]), IPC_CREX, size=int(sys.argv[2]))"
    for _, size in ipairs{1, 7, 9, 4095, 100 + 3} do
      peer.output(("%s -c '%s' %s %d"):format(peer.PYTHON, maker, id, size))
      local m, message, code = ipc.shared_memory(key, math.max(1, size // 8))
      assert.is_nil(m)
      assert.matches("was made by another program for another purpose", message)
      assert.equal(EINVAL, code)
      peer.output("ipcrm -M " .. ("0x%x"):format(key.id & 0xffffffff))
    end
  end)

  it("is attached as long as a handle is open, and outlives them", function()
    local a, b = open(), open()
    local _, mode, attached = listed()
    assert.same({"600", 2}, {mode, attached})
    a[0] = 5
    a:close()
    assert.equal(1, (select(3, listed())))
    b:close()
    assert.equal(0, (select(3, listed())))
    local again <close> = open()
    assert.equal(5, again[0])
  end)

  it("is detached when its handle is collected", function()
    open()[0] = 5
    waits.collect()
    assert.equal(0, (select(3, listed())))
  end)

  it("has the permissions it was made with", function()
    local m <close> = assert(ipc.shared_memory(key, 1, {mode = "0640"}))
    assert.equal("640", (select(2, listed())))
    m[0] = 1
  end)
end)

describe("waiting for shared memory #nosan", function()
  for _, engine in ipairs(engines.of(ipc.shared_memory)) do
    if not engine.private and not engine.missing then
      it("on " .. engine.name .. " makes no system call while nothing changes", function()
        local calls, why = quiet(("memory_idle.lua '%s'"):format(tostring(engine.key()):match("%((.*)%)")))
        engine.cleanup()
        if not calls then return pending(why) end
        assert.same({}, calls)
      end)
    end
  end
end)
