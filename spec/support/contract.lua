-- SPDX-License-Identifier: MIT
-- What the contract specs have in common: each of them is about one noun on every engine. For those of the locks:
-- processes that hold a lock, and that wait for it.

local ipc = require "ipc"
local assert = require "luassert"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local ENOTSUP <const> = 95

local contract = {}

-- A function that makes an object of a key, in whatever process, and the key. Two handles of a private object would be
-- two objects: there the function gives the handle again that is open, so a child has the one that it inherited.
function contract.opener(engine, make)
  local key, inherited = engine.key(), setmetatable({}, {__mode = "v"})
  return function(argument)
    local handle = inherited[1]
    if handle and not tostring(handle):find("closed", 1, true) then return handle end
    handle = assert(make(key, argument))
    if engine.private then inherited[1] = handle end
    return handle
  end, key
end

-- Describes `what` on every engine by body(engine, open, keyed, key):
--   open(argument): make(key, argument), in whatever process; of a private object there is one handle, which children
--     inherit
--   keyed: `it`, or `pending` on the engine without keys, for a spec that needs two handles in one process
--   key(): the key of the spec that runs
-- env: the `_ENV` of the spec's file, where busted's functions are. what: a name, or a function that gets the engine.
function contract.each(env, what, make, body)
  for _, engine in ipairs(engines.of(make)) do
    local name = type(what) == "function" and what(engine) or what .. " on " .. engine.name
    env.describe(name, function()
      if engine.missing then return env.pending(engine.missing) end
      local key, open
      env.before_each(function() open, key = contract.opener(engine, make) end)
      env.after_each(engine.cleanup)
      body(engine, function(argument) return open(argument) end, engine.private and env.pending or env.it,
        function() return key end)
    end)
  end
end

-- Does the engine have jobs? Its queues are asked.
local function has_jobs(engine)
  local queue <close> = assert(ipc.queue(engine.key()))
  local _, _, errno = queue:take(nil, 0)
  queue:close()
  engine.cleanup()
  return errno ~= ENOTSUP
end

-- The same as each, of queues, on the engines that have jobs.
function contract.jobs(env, what, body)
  contract.each(env, what, ipc.queue, function(engine, ...)
    if not has_jobs(engine) then return env.pending("there are no jobs on " .. engine.name) end
    body(engine, ...)
  end)
end

-- Of two permits, unless another number is asked for.
function contract.semaphore(key, max)
  return ipc.semaphore(key, max or 2)
end

-- What a call tells once the end of processes has been noticed: at once, or, with a lease, when that has ended.
function contract.at_last(engine, expected, call, ...)
  local deadline = ipc.now() + (engine.lease and PATIENCE or 0)
  local value
  repeat
    value = call(...)
  until value == expected or ipc.now() >= deadline or ipc.sleep(0.01)
  assert.equal(expected, value)
end

-- A child that acquires so often, says "held" (or what else it was told), and then obeys: release, or end.
function contract.holder(open, times)
  local child = assert(ipc.process(function(channel)
    local lock, how = open(), nil
    for _ = 1, times or 1 do how = select(2, assert(lock:acquire(PATIENCE))) end
    channel:send(how or "held")
    for _ in channel:messages() do
      assert(lock:release())
      channel:send("released")
    end
  end))
  assert.equal("held", child.channel:receive(PATIENCE))
  return child
end

-- A child that waits to acquire, says what it was told, {true}, {true, "abandoned"} or {"nil", why}, and keeps it.
function contract.waiter(open, ...)
  local arguments = table.pack(...)
  local child = assert(ipc.process(function(channel)
    local lock = open()
    local t = waits.waiting(function()
      local ok, how = lock:acquire(table.unpack(arguments))
      channel:send{ok or "nil", how}
      channel:receive()
    end)
    local ask = lock.holder or lock.value
    if ask then ask(lock) end -- once a server has answered this, it knows the waiter
    channel:send("waiting")
    t:join()
  end))
  assert.equal("waiting", child.channel:receive(PATIENCE))
  return child
end

-- 20 tasks acquire by these handles in turn, the first of which holds: they have it in their order, but for one that
-- gives up and one that is cancelled.
function contract.in_order(handles)
  local order, tasks, expected = {}, {}, {}
  for i = 1, 20 do
    tasks[i] = ipc.task(function()
      local lock = handles[i % #handles + 1]
      local ok, how = lock:acquire(i == 7 and 0.001 or PATIENCE)
      if not ok then return end
      order[#order + 1] = how or i
      if i % 3 == 0 then waits.settle() end
      lock:release()
    end)
    if i ~= 7 and i ~= 13 then expected[#expected + 1] = i end
  end
  waits.settle()
  tasks[7]:join(PATIENCE)
  tasks[13]:close()
  handles[1]:release()
  for i = 1, 20 do tasks[i]:join(PATIENCE) end
  assert.same(expected, order)
end

-- Two processes of 12 tasks each, which start a task of use(lock, seen) again and again, and cancel some at random.
-- `use` counts in `seen`: holders, and those that got it or missed it. Returns the seed.
function contract.race(open, use)
  local TASKS <const>, ROUNDS <const> = 12, waits.SANITIZED and 30 or 150
  local seed = os.time()
  local function race(channel)
    local lock, cancelled = open(), 0
    local seen = {holders = 0, got = 0, missed = 0}
    local function has_all()
      return seen.got > 0 and seen.missed > 0 and cancelled > 0
    end
    local function client()
      for round = 1, ROUNDS * 20 do
        if round > ROUNDS and has_all() then return end
        local t = ipc.task(use, lock, seen)
        if math.random(3) == 1 then
          ipc.sleep(math.random() * 0.0005)
          t:cancel()
        end
        local ok, why = t:join(PATIENCE)
        if not ok then
          if why ~= ipc.cancelled then error(why) end
          cancelled = cancelled + 1
        end
      end
    end
    ipc.scope(function(scope)
      for _ = 1, TASKS do scope:task(client) end
    end)
    seen.cancelled = cancelled
    channel:send(seen)
  end
  local children = {}
  for i = 1, 2 do
    children[i] = assert(ipc.process(function(channel)
      math.randomseed(seed, i)
      race(channel)
    end))
  end
  for _, child in ipairs(children) do
    local seen = assert(child.channel:receive(60), "seed " .. seed)
    assert.is_true(child:wait(PATIENCE))
    assert.equal(0, seen.holders, "seed " .. seed)
    assert.is_true(seen.got > 0 and seen.missed > 0 and seen.cancelled > 0)
  end
  return seed
end

-- What the next acquires of a mutex are told: "abandoned" or "nothing", by this one and the one after it.
function contract.told(mutex)
  local words = {}
  for i = 1, 2 do
    local ok, how = mutex:acquire(PATIENCE)
    assert.is_true(ok)
    words[i] = how or "nothing"
    mutex:release()
  end
  return table.concat(words, ", ")
end

return contract
