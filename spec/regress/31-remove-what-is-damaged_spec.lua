-- SPDX-License-Identifier: MIT
-- "it is damaged; remove it", an operation said; but remove() said the same, and did nothing: it wanted the latch
-- first. And of a file that had been cut short it did not know the name any more, which it read from there. The first
-- operation after the cut did not even notice: a mutex was "acquired" in zeros that only this process had.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local segment = require "spec.support.segment"
local waits = require "spec.support.waits"

local EUCLEAN <const> = 117
local shm = engines.shm

local function damage_latch(path)
  local file <close> = assert(io.open(path, "r+b"))
  file:seek("set", 12)
  file:write(("<I4"):pack(0x3fffffff)) -- there is no such thread
end

local function cut(path) assert(os.execute("truncate -s 0 " .. path)) end

describe("an object in shared memory that is damaged", function()
  after_each(shm.cleanup)

  for noun, case in pairs{
    queue = {function(key) return ipc.queue(key, {codec = "raw"}) end, function(q) return q:send(1, "x", 0) end},
    semaphore = {function(key) return ipc.semaphore(key, 2) end, function(s) return s:acquire(0) end},
    mutex = {function(key) return ipc.mutex(key) end, function(m) return m:acquire(0) end},
  } do
    for how, damage in pairs{["whose latch is damaged"] = damage_latch, ["that was cut short"] = cut} do
      it(("can be removed: a %s %s"):format(noun, how), function()
        local key = shm.key()
        local object <close> = assert(case[1](key))
        damage(segment.path(noun, key))
        local _, message, code = case[2](object)
        assert.matches("it is damaged; remove it", message)
        assert.equal(EUCLEAN, code)
        assert.is_true(object:remove())
        assert.is_nil(segment.read(noun, key))
        local new <close> = assert(case[1](key))
        assert.is_truthy(case[2](new))
      end)
    end
  end

  it("ends the waits of others when it is removed", function()
    local key = shm.key()
    local q <close> = assert(ipc.queue(key, {codec = "raw"}))
    local child <close> = assert(ipc.process(function(channel)
      local own = assert(ipc.queue(key, {codec = "raw"}))
      local t = waits.waiting(function() return own:receive(0, waits.PATIENCE) end)
      channel:send("waiting")
      channel:send{select(2, t:join())}
    end))
    assert.equal("waiting", child.channel:receive(waits.PATIENCE))
    damage_latch(segment.path("queue", key))
    q:remove()
    local result = child.channel:receive(waits.PATIENCE)
    assert.is_true(result[1] == nil or result[1] == ipc.null, tostring(result[1]))
  end)
end)
