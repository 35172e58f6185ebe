-- SPDX-License-Identifier: MIT
-- A ledger of all that 4 producers, 4 consumers and 3 holders of a mutex do while processes are killed and stopped, and
-- connections cut: what was accepted is received, once. LEDGER=100000 in the environment: so many messages.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local redis_process = require "spec.support.redis_process"
local replay = require "spec.support.lease_log"
local waits = require "spec.support.waits"

local PATIENCE <const>, ECONNABORTED <const> = 60, 103
local MESSAGES <const> = math.tointeger(tonumber(os.getenv("LEDGER"))) or (waits.SANITIZED and 400 or 4000)
local PRODUCERS <const>, CONSUMERS <const>, LOCKERS <const> = 4, 4, 3

local function opened(make, key, options)
  local object
  repeat object = make(key, options) until object -- to open is not tried again
  return object
end

-- A line for each step, in one write: a process may be killed between any two.
local function journal(path)
  local file = assert(io.open(path, "a"))
  file:setvbuf("no")
  return function(...) file:write(string.format(...) .. "\n") end
end

local function produce(channel, key, path, producer, first)
  local say, q = journal(path), opened(ipc.queue, key)
  for n = first, MESSAGES // PRODUCERS do
    say("tries %d:%d", producer, n)
    local ok, why, code = q:send(n % 3 + 1, ("%d:%d"):format(producer, n), PATIENCE)
    assert(ok or code == ECONNABORTED or code == 110, why)
    if ok then say("accepted %d:%d", producer, n) end
  end
  channel:send("done")
end

local function consume(_, key, path, consumer)
  local say, q = journal(path), opened(ipc.queue, key)
  local wants, n = {0, consumer % 3 + 1, -3}, 0
  while true do
    n = n + 1
    local message = q:receive(wants[n % 3 + 1], 0.02 * (n % 4))
    if message == "end" then return end
    if message then say("received %s", message) end
  end
end

local function hold(_, key, path)
  local say, m = journal(path), opened(ipc.mutex, key, {lease = 0.5})
  while true do
    local ok, how = m:acquire(PATIENCE)
    if ok then
      local token = m:token()
      say("got %d %s", token, how or "well")
      ipc.sleep(math.random() * 0.005)
      say("releasing %d", token)
      local released, why, code = m:release()
      if released or not code then say("released %d %s", token, released and "well" or why) end
    end
  end
end

describe("a queue and a mutex on a Redis server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("lose and repeat nothing while processes are killed and connections cut #slow #nosan", function()
    local server <close> = redis_process()
    local socket, path, lock_path = os.tmpname(), os.tmpname(), os.tmpname()
    os.remove(socket)
    finally(function()
      os.remove(path)
      os.remove(lock_path)
      os.remove(socket)
    end)
    local proxy <close> = peer.start("proxy.py", socket, server.folder .. "/socket")
    local key = server:key("ledger", socket)
    local q <close> = assert(ipc.queue(server:key("ledger"), {capacity = 4000}))
    local living, over, tried = {}, false, {}
    local consumers = {}
    for c = 1, CONSUMERS do consumers[c] = assert(ipc.process(consume, key, path, c)) end

    -- Where a producer that was killed goes on: behind the last that it has tried.
    local function first_of(producer)
      local last = 0
      for line in io.lines(path) do last = tonumber(line:match("^tries " .. producer .. ":(%d+)$")) or last end
      return last + 1
    end

    local function supervise(name, start)
      repeat
        local child <close> = assert(start())
        living[name] = child
        local done = child.channel:receive() == "done"
        living[name] = nil
        child:wait()
      until done or over
    end

    ipc.scope(function(scope)
      for l = 1, LOCKERS do
        scope:task(supervise, "locker" .. l, function() return ipc.process(hold, key, lock_path) end)
      end
      scope:task(function()
        ipc.scope(function(producers)
          for p = 1, PRODUCERS do
            producers:task(supervise, p, function() return ipc.process(produce, key, path, p, first_of(p)) end)
          end
        end)
        over = true
        for _, child in pairs(living) do child:signal("KILL") end
      end)
      scope:task(function()
        while not over do
          ipc.sleep(math.random() * 0.1)
          proxy:ask("cut")
        end
      end)
      scope:task(function()
        while not over do
          ipc.sleep(math.random() * 0.2)
          local names = {}
          for name in pairs(living) do names[#names + 1] = name end
          local child = living[names[math.random(#names)]]
          if child then child:signal("KILL") end
          local stopped = consumers[math.random(CONSUMERS)]
          stopped:signal("STOP")
          ipc.sleep(math.random() * 0.3)
          stopped:signal("CONT")
        end
      end)
    end)
    for _ = 1, CONSUMERS do assert.is_true(q:send(4, "end", PATIENCE)) end
    for _, child in ipairs(consumers) do assert.is_true(child:wait(PATIENCE)) end

    local accepted, got = {}, {}
    for line in io.lines(path) do
      local what, message = line:match("^(%a+) (%d+:%d+)$")
      if what == "tries" then
        assert.is_nil(tried[message], line)
        tried[message] = true
      elseif what == "accepted" then
        accepted[message] = true
      else
        assert.is_true(tried[message], line)
        assert.is_nil(got[message], line .. " twice")
        got[message] = true
      end
    end
    assert.equal(0, #q)
    local count = 0
    for message in pairs(accepted) do
      assert.is_true(got[message], message .. " was accepted and not received")
      count = count + 1
    end
    assert.is_true(count > MESSAGES / 2, count)
    assert.is_true((replay(lock_path)) > 0)
  end)
end)
