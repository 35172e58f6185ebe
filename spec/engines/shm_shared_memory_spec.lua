-- SPDX-License-Identifier: MIT
-- Shared memory in /dev/shm: files that another program cut short or wrote into, and too little memory.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local PATIENCE, waiting = waits.PATIENCE, waits.waiting
local ENOMEM, EINVAL, EUCLEAN = 12, 22, 117
local SLOTS = 10000 -- more than a page

local shm = engines.shm

describe("shared memory in /dev/shm", function()
  if shm.missing then return pending(shm.missing) end

  local key, path
  before_each(function()
    key = shm.key()
    path = "/dev/shm/ipclua.memory." .. key.name
  end)
  after_each(shm.cleanup)

  local function open() return assert(ipc.shared_memory(key, SLOTS)) end

  local function write(at, bytes)
    local file = assert(io.open(path, "r+"))
    file:seek("set", at)
    file:write(bytes)
    file:close()
  end

  for _, size in ipairs{0, 100, 4096, 8192} do
    it(("whose file is cut to %d bytes says so, and goes on without a crash"):format(size), function()
      local m <close> = open()
      m[0], m[SLOTS - 1] = 1, 2
      local t = waiting(function() return m:wait(5, 0, PATIENCE) end)
      assert.is_true(os.execute(("truncate -s %d %s"):format(size, path)))
      assert.error_matches(function() return m[SLOTS - 1] end, "shared memory shm:.* is damaged; remove it")
      for _, call in ipairs{
        function() return m[0] end, function() m[0] = 1 end, function() m:add(0, 1) end,
        function() m:compare_and_swap(0, 0, 1) end,
      } do
        assert.error_matches(call, "is damaged; remove it")
      end
      local ok, value, message, code = t:join(PATIENCE)
      assert.is_true(ok)
      assert.is_nil(value)
      assert.matches("is damaged", message)
      assert.equal(EUCLEAN, code)
      assert.equal(EUCLEAN, (select(3, m:wait(0, 0, 0))))
      assert.equal(SLOTS, #m)
      assert.matches("ipc.SharedMemory", tostring(m))
      assert.is_nil((ipc.shared_memory(key, SLOTS)))
    end)
  end

  it("that was cut short is noticed by a write, an addition, a swap and a wait, too", function()
    for _, call in ipairs{
      function(m) m[SLOTS - 1] = 1 end, function(m) m:add(SLOTS - 1, 1) end,
      function(m) m:compare_and_swap(SLOTS - 1, 0, 1) end,
      function(m) assert(select(3, m:wait(SLOTS - 1, 0, PATIENCE)) == EUCLEAN) error("is damaged; remove it") end,
    } do
      local m <close> = open()
      assert.is_true(os.execute("truncate -s 4096 " .. path))
      assert.error_matches(function() call(m) end, "is damaged; remove it")
      os.remove(path)
    end
  end)

  it("is refused with a number of slots there is no room for", function()
    local m = open()
    m:close()
    local file = assert(io.open(path))
    local size = file:seek("end")
    file:close()
    local at = size - 8 * SLOTS
    for offset = 0, at - 8, 8 do -- wherever the number stands in the head
      local head = assert(io.open(path))
      head:seek("set", offset)
      local number = ("<i8"):unpack(head:read(8))
      head:close()
      if number == SLOTS then
        for _, wrong in ipairs{0, -1, SLOTS + 1, SLOTS - 1, math.maxinteger, math.mininteger, 1 << 61} do
          write(offset, ("<i8"):pack(wrong))
          local _, message, code = ipc.shared_memory(key, SLOTS)
          assert.equal(EUCLEAN, code, message)
        end
        write(offset, ("<i8"):pack(SLOTS))
        open():close()
        return
      end
    end
    error("the number of slots is not in the file")
  end)

  it("is refused where another program's file is", function()
    local file = assert(io.open(path, "w"))
    file:write(("x"):rep(100000))
    file:close()
    local m, message, code = ipc.shared_memory(key, SLOTS)
    assert.is_nil(m)
    assert.matches("another program", message)
    assert.equal(EINVAL, code)
  end)

  it("goes on after its words were overwritten", function()
    local m <close> = open()
    m[0] = 5
    write(12, ("\xff"):rep(4)) -- the latch
    write(36, ("\xff"):rep(12)) -- removed, changes, parked
    assert.equal(5, m[0])
    assert.same({nil, "removed"}, {m:wait(0, 5, 0)})
    m[1] = 7
    assert.equal(7, m[1])
  end)

  it("of more than there is room for is refused #nosan", function()
    local host = os.getenv("IPCLUA") or "build/ipclua"
    for _, text in ipairs{"ipc.private", ("ipc.shm_key(%q)"):format(key.name)} do
      local code = "local ipc = require 'ipc' print(ipc.shared_memory(" .. text .. ", 1 << 27))"
      local pipe = assert(io.popen(("ulimit -v 500000; exec %s -e \"%s\" 2>&1"):format(host, code:gsub('"', "'"))))
      local said = pipe:read("a")
      pipe:close()
      assert.matches("^nil\tshared memory .* of 134217728 slots: Cannot allocate memory\t" .. ENOMEM .. "\n$", said)
      assert.is_nil(io.open(path))
    end
  end)
end)
