-- SPDX-License-Identifier: MIT
-- ipctl rm: by keys; and orphans, in a storm of opening and closing: an object that a process has open is not removed,
-- and a process that opens one while it is removed gets one.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local engines = require "spec.support.engines"
local ipctl = require "spec.support.ipctl"
local rounds = require "spec.support.rounds"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local WORKERS <const> = 3
local PAUSE <const> = 0.006 -- seconds at most, in which a worker has nothing open: so there are orphans

local openers = {
  queue = ipc.queue,
  mutex = ipc.mutex,
  semaphore = function(key, options) return ipc.semaphore(key, 2, options) end,
  shared_memory = function(key, options) return ipc.shared_memory(key, 2, options) end,
  shared_data = function(key, options) return ipc.shared_data(key, options) end,
}

-- Two handles are of one object: what is done through one is seen through the other, and nothing is left.
local same = {
  queue = function(a, b, me)
    assert(a:send(me, me, 0))
    return b:receive(me, 0) == me
  end,
  mutex = function(a, b)
    assert(a:acquire(PATIENCE))
    local seen = b:holder() == ipc.pid()
    a:release()
    return seen
  end,
  semaphore = function(a, b)
    assert(a:acquire(PATIENCE))
    local seen = b:value() < 2
    a:release()
    return seen
  end,
  shared_memory = function(a, b, me)
    local seen = a:add(0, me) >= me and b[0] >= me
    b:add(0, -me)
    return seen
  end,
  shared_data = function(a, b, me)
    assert(a:set("n" .. me, me))
    local seen = b:get("n" .. me) == me
    assert(b:delete("n" .. me))
    return seen
  end,
}

local function open(noun, key)
  local object, problem = openers[noun](key)
  if not object then error(noun .. ": " .. problem) end
  return object
end

local function use(noun, key, me)
  local a <close> = open(noun, key)
  ipc.yield()
  local b <close> = open(noun, key)
  assert(same[noun](a, b, me), noun .. ": two objects behind one key")
end

-- Opens and closes an object again and again; ends well only if it was what it should be.
local function work(noun, key, me, times)
  math.randomseed(me)
  for _ = 1, times do
    use(noun, key, me)
    ipc.sleep(math.random() * PAUSE)
  end
end

-- Only objects of this spec: others run beside it.
local function remove_orphans(start, ...)
  return ipctl.output("rm", "--orphans", start, ...)
end

local function removed(key, noun)
  return ipctl.find(key, noun) == nil
end

for noun, make in pairs(openers) do
  contract.each(_ENV, "ipctl rm: " .. noun, ipc[noun], function(engine, _, _, key)
    if engine.private then return end

    it("removes it by its key", function()
      local object <close> = open(noun, key())
      assert.equal("", ipctl.output("rm", ipctl.text_of(key())))
      assert.equal(2, (select(3, make(key(), {create = false}))))
      local status, _, problem = ipctl.run{"rm", ipctl.text_of(key())}
      assert.equal(1, status)
      assert.truthy(problem:find("there is no object " .. ipctl.text_of(key()), 1, true), problem)
      object:close()
    end)
  end)
end

describe("ipctl rm", function()
  local key, name, start

  before_each(function()
    key = engines.shm.key()
    name = ipctl.text_of(key)
    start = name:match("^(.*%.)%d+$") -- of all keys of this process
  end)
  after_each(engines.shm.cleanup)
  after_each(engines.sysv.cleanup)

  it("asks which, if a key has several objects", function()
    ipc.queue(key):close()
    ipc.mutex(key):close()
    assert.truthy(ipctl.failure("rm", name):find("queue, mutex; --noun says which", 1, true))
    ipctl.output("rm", "--noun", "queue", name)
    assert.is_true(removed(name, "queue"))
    assert.is_false(removed(name, "mutex"))
  end)

  it("removes what is damaged", function()
    local path = "/dev/shm/ipclua.queue." .. key.name
    ipc.queue(key, {capacity = 1000}):close()
    local file = assert(io.open(path, "r+b"))
    file:seek("end")
    file:write(("\0"):rep(64))
    file:close()
    remove_orphans(start)
    assert.equal("damaged", ipctl.find(name, "queue").fault)
    ipctl.output("rm", name)
    assert.is_true(removed(name, "queue"))
  end)

  it("removes a System V object by the number of its key", function()
    local other = engines.sysv.key()
    local number = ipctl.name_of(other)
    ipc.queue(other):close()
    ipctl.output("rm", number)
    assert.is_true(removed(number, "queue"))
    assert.equal(1, ipctl.run{"rm", number})
  end)

  it("removes orphans that hold nothing, and no other object", function()
    local kept, gone = {}, {}
    local function make(list, noun, fn)
      local k = engines.shm.key()
      local object = open(noun, k)
      if fn then fn(object) end
      object:close()
      list[#list + 1] = {noun, ipctl.text_of(k)}
    end
    make(kept, "queue", function(q) q:send(1, 1) end)
    make(kept, "queue", function(q)
      q:send(1, 1)
      q:take():bury()
    end)
    make(kept, "shared_memory", function(m) m[1] = 1 end)
    make(kept, "shared_data", function(d) d:set("a", 1) end)
    for noun in pairs(openers) do make(gone, noun) end
    local q <close> = open("queue", key)
    kept[#kept + 1] = {"queue", name}
    local said = remove_orphans(start, "--dry-run")
    for _, object in ipairs(gone) do
      assert.truthy(said:find(("would remove %s %s\n"):format(object[1], object[2]), 1, true), said)
      assert.is_false(removed(object[2], object[1]))
    end
    remove_orphans(start)
    for _, object in ipairs(gone) do assert.is_true(removed(object[2], object[1]), object[1]) end
    for _, object in ipairs(kept) do assert.is_false(removed(object[2], object[1]), object[1]) end
    assert.is_true(q:send(1, 1))
  end)

  for noun in pairs(openers) do
    for _, engine in ipairs{engines.shm, (noun == "mutex" or noun == "semaphore") and engines.sysv or nil} do
      it(("never takes a live %s on %s away"):format(noun, engine.name), function()
        local k = engine.key()
        local children = {}
        for i = 1, WORKERS do
          children[i] = assert(ipc.process(function() work(noun, k, i, rounds(waits.SANITIZED and 10 or 25)) end))
        end
        local taken, left = 0, WORKERS
        for _, child in ipairs(children) do
          ipc.task(function()
            local ok = child:wait(PATIENCE * 4)
            left = ok and left - 1 or -100
          end)
        end
        local function remove()
          for _ in remove_orphans(ipctl.name_of(k)):gmatch("[^\n]+") do taken = taken + 1 end
        end
        while left > 0 do ipc.scope(function(scope) for _ = 1, 2 do scope:task(remove) end end) end
        assert.equal(0, left)
        remove()
        assert.is_true(taken > 0)
      end)
    end
  end
end)
