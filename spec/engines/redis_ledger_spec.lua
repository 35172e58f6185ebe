-- SPDX-License-Identifier: MIT
-- A ledger of all that 4 producers, 4 consumers and 3 holders of a mutex do while processes are killed and stopped,
-- connections cut, and a master dies: what was accepted is received, once. LEDGER=100000 in the environment: so many
-- messages.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local redis_process = require "spec.support.redis_process"
local replay = require "spec.support.lease_log"
local sentinel = require "spec.support.sentinel"
local waits = require "spec.support.waits"

local PATIENCE <const>, EPROTO <const> = 60, 71
local MESSAGES <const> = math.tointeger(tonumber(os.getenv("LEDGER"))) or (waits.SANITIZED and 400 or 4000)
local PRODUCERS <const>, CONSUMERS <const>, LOCKERS <const> = 4, 4, 3

local function opened(make, key, options)
  local object
  repeat object = make(key, options) until object -- to open is not tried again
  return object
end

-- A line for each step, in one write: a process may be killed between any two. The time is that of all processes.
local function journal(path)
  local file = assert(io.open(path, "a"))
  file:setvbuf("no")
  return function(...) file:write(("%s %.6f\n"):format(string.format(...), ipc.now())) end
end

local function produce(channel, key, path, producer, first)
  local say, q = journal(path), opened(ipc.queue, key)
  for n = first, MESSAGES // PRODUCERS do
    say("tries %d:%d", producer, n)
    local ok, why, code = q:send(n % 3 + 1, ("%d:%d"):format(producer, n), PATIENCE)
    assert(ok or code and code ~= EPROTO, why)
    if ok then say("accepted %d:%d", producer, n) end
  end
  channel:send("done")
end

local function consume(_, key, path, consumer)
  local say, q = journal(path), opened(ipc.queue, key)
  local wants, n = {0, consumer % 3 + 1, -3}, 0
  while true do
    n = n + 1
    local message, why, code = q:receive(wants[n % 3 + 1], 0.02 * (n % 4))
    assert(message or why == "timeout" or code and code ~= EPROTO, why)
    if message == "end" then return end
    if message then say("received %s", message) end
  end
end

local function hold(_, key, path)
  local file = assert(io.open(path, "a"))
  file:setvbuf("no")
  local function say(...) file:write(string.format(...) .. "\n") end
  local m = opened(ipc.mutex, key, {lease = 0.5})
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

-- When each message was tried, accepted and received; those that were received twice.
local function books_of(path)
  local books = {tries = {}, accepted = {}, received = {}, twice = {}}
  for line in io.lines(path) do
    local what, message, time = line:match("^(%a+) (%d+:%d+) ([%d.]+)$")
    assert(what ~= "tries" or not books.tries[message], line)
    assert(books.tries[message] or what == "tries", line)
    if what == "received" and books.received[message] then books.twice[message] = tonumber(time) end
    books[what][message] = tonumber(time)
  end
  return books
end

-- Producers and holders are killed and started again, consumers stopped, until all is sent and `bad_weather` is over,
-- which is told when that is so. Then all that there is has been received.
local function run(key, q, path, lock_path, bad_weather)
  local living, consumers, sent = {}, {}, false
  for c = 1, CONSUMERS do consumers[c] = assert(ipc.process(consume, key, path, c)) end

  -- Where a producer that was killed goes on: behind the last that it has tried.
  local function first_of(producer)
    local last = 0
    for line in io.lines(path) do last = tonumber(line:match("^tries " .. producer .. ":(%d+) ")) or last end
    return last + 1
  end

  local function supervise(name, start)
    repeat
      local child <close> = assert(start())
      living[name] = child
      local done = child.channel:receive() == "done"
      living[name] = nil
      child:wait()
    until done or sent
  end

  local function kill_and_stop()
    while not sent do
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
  end

  ipc.scope(function(scope)
    for l = 1, LOCKERS do
      scope:task(supervise, "holder" .. l, function() return ipc.process(hold, key, lock_path) end)
    end
    scope:task(kill_and_stop)
    scope:task(bad_weather, function() return sent end)
    ipc.scope(function(producers)
      for p = 1, PRODUCERS do
        producers:task(supervise, p, function() return ipc.process(produce, key, path, p, first_of(p)) end)
      end
    end)
    sent = true
    for _, child in pairs(living) do child:signal("KILL") end
  end)
  for _ = 1, CONSUMERS do assert.is_true(q:send(4, "end", PATIENCE)) end
  for _, child in ipairs(consumers) do assert.is_true(child:wait(PATIENCE)) end
  assert.equal(0, #q)
  assert.is_true((replay(lock_path)) > 0)
  return books_of(path)
end

describe("a queue and a mutex on a Redis server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  local path, lock_path
  before_each(function() path, lock_path = os.tmpname(), os.tmpname() end)
  after_each(function()
    os.remove(path)
    os.remove(lock_path)
  end)

  it("lose and repeat nothing while processes are killed and connections cut #slow #nosan", function()
    local server <close> = redis_process()
    local socket = os.tmpname()
    os.remove(socket)
    finally(function() os.remove(socket) end)
    local proxy <close> = peer.start("proxy.py", socket, server.folder .. "/socket")
    local q <close> = assert(ipc.queue(server:key("ledger"), {capacity = 4000}))
    local books = run(server:key("ledger", socket), q, path, lock_path, function(is_over)
      while not is_over() do
        ipc.sleep(math.random() * 0.1)
        proxy:ask("cut")
      end
    end)
    assert.same({}, books.twice)
    local count = 0
    for message in pairs(books.accepted) do
      assert.is_number(books.received[message], message .. " was accepted and not received")
      count = count + 1
    end
    assert.is_true(count > MESSAGES / 2, count)
  end)

  -- What the master had not told its replica when it was killed is lost: what was done in the last moment before.
  it("lose and repeat what was not replicated when a master is killed, and nothing else #slow #nosan", function()
    local MOMENT <const> = 2
    local cluster <close> = sentinel()
    local key = assert(ipc.redis_key(cluster.url .. "/ledger"))
    local q <close> = assert(ipc.queue(key, {capacity = 4000}))
    cluster:replicated("ipclua:{ledger}:queue:meta")
    local killed
    local books = run(key, q, path, lock_path, function()
      ipc.sleep(0.3 + math.random() * 0.3)
      killed = ipc.now()
      cluster.master:kill()
    end)
    local function near(time) return time and time > killed - MOMENT and time < killed + MOMENT end
    for message, time in pairs(books.accepted) do
      assert.is_true(books.received[message] ~= nil or near(time), message .. " was accepted and not received")
    end
    for message in pairs(books.twice) do
      assert.is_true(near(books.tries[message]) or near(books.accepted[message]) or near(books.received[message]),
        message .. " was received twice")
    end
  end)
end)
