-- SPDX-License-Identifier: MIT
-- Eight processes use a mutex, shared memory, shared data and a queue all together, and are killed at any instruction
-- and started again. What the mutex guards is repaired by whoever is told "abandoned", as in
-- scripts/examples/mutex.lua; whoever is not told finds nothing to repair. STORM_KILLS=3000 for thousands.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local segment = require "spec.support.segment"
local waits = require "spec.support.waits"

local WORKERS <const>, ACCOUNTS <const>, SUM <const> = 8, 10, 1000
local PATIENCE <const> = waits.PATIENCE
local CHANGING <const>, FROM <const>, TO <const>, STEPS <const>, COUNTS <const> = 20, 21, 22, 30, 40 -- slots
local shm = engines[2]

local function open(key)
  return assert(ipc.mutex(key)), assert(ipc.shared_memory(key, 64)), assert(ipc.shared_data(key, {size = 1 << 20})),
    assert(ipc.queue(key, {codec = "raw", capacity = 30000}))
end

local function check(condition, text, ...)
  if not condition then error(text:format(...), 0) end
end

-- From one account to another. The old values are there as long as the new ones cannot be trusted.
local function transfer(memory, how)
  local changing = memory[CHANGING]
  check(changing == 0 or how == "abandoned", "nobody was told of a death")
  if changing ~= 0 then
    memory[changing // 100], memory[changing % 100] = memory[FROM], memory[TO]
    memory[CHANGING] = 0
  end
  local sum = 0
  for i = 1, ACCOUNTS do sum = sum + memory[i] end
  check(sum == SUM, "the sum is %d", sum)
  local from, to, amount = math.random(ACCOUNTS), math.random(ACCOUNTS), math.random(50)
  if from == to then return end
  memory[FROM], memory[TO] = memory[from], memory[to]
  memory[CHANGING] = from * 100 + to
  memory[from] = memory[from] - amount
  memory[to] = memory[to] + amount
  memory[CHANGING] = 0
end

-- The same within one value of shared data, which no death can leave half-done.
local function move(accounts)
  local from, to, sum = math.random(ACCOUNTS), math.random(ACCOUNTS), 0
  for _, amount in ipairs(accounts) do sum = sum + amount end
  check(sum == SUM, "the sum of the data is %d", sum)
  accounts[from] = accounts[from] - 1
  accounts[to] = accounts[to] + 1
  return accounts
end

local function body(slot, n) return ("%d:%d:%s"):format(slot, n, string.char(97 + n % 26):rep(n * 7919 % 1500)) end

-- Messages of a type of its own: what it has sent and received so far is written down after the fact, so each death
-- since then may have taken one with it, and the last may have sent one more.
local function catch_up(slot, data, queue)
  local sent, received = data:get("sent by " .. slot) or 0, data:get("received by " .. slot) or 0
  local deaths, n = data:add("deaths of " .. slot, 1), nil
  for message in function() return (queue:receive(slot, 0)) end do
    local number = math.tointeger(tonumber(message:match("^%d+:(%d+):")))
    check(number and message == body(slot, number), "torn: %s", message:sub(1, 40))
    check(number > received and number <= (n or received + deaths) + 1, "%d after %s, %d", number, n, received)
    n = number
    data:set("received by " .. slot, n)
  end
  check(n == nil and sent - received <= deaths or n and n >= sent and n <= sent + 1,
    "%d sent, %d received, then %s, %d deaths", sent, received, n, deaths)
  n = sent + 1
  data:set("sent by " .. slot, n)
  data:set("received by " .. slot, n)
  data:set("deaths of " .. slot, 0)
  return n
end

local function exchange(slot, data, queue, sent, received)
  if sent - received < 3 then
    sent = sent + 1
    check(queue:send(slot, body(slot, sent), PATIENCE), "not sent")
    data:set("sent by " .. slot, sent)
  end
  if math.random(3) > 1 and sent > received then
    local message = queue:receive(slot, PATIENCE)
    received = received + 1
    check(message == body(slot, received), "not %d: %s", received, message and message:sub(1, 40))
    data:set("received by " .. slot, received)
  end
  return sent, received
end

local function work(channel, key, slot, seed)
  math.randomseed(seed)
  local ok, problem = pcall(function()
    local mutex, memory, data, queue = open(key)
    local sent = catch_up(slot, data, queue)
    local received = sent
    while true do
      do
        local _ <close>, how = mutex:hold(PATIENCE)
        check(how ~= "timeout", "the mutex does not come")
        transfer(memory, how)
      end
      check(data:update("accounts", move), "not updated")
      sent, received = exchange(slot, data, queue, sent, received)
      memory:add(COUNTS + slot, 1)
      data:add("count of " .. slot, 1)
      memory:add(STEPS, 1)
    end
  end)
  channel:send(tostring(problem or ok))
end

describe("a storm of kills over everything in shared memory", function()
  after_each(shm.cleanup)

  it("breaks nothing", function()
    local KILLS <const> = tonumber(os.getenv("STORM_KILLS")) or os.getenv("IPC_SANITIZE") and 20 or 80
    local key = shm.key()
    local mutex, memory, data, queue = open(key)
    local accounts, living, kills, deaths = {}, {}, 0, {}
    for i = 1, ACCOUNTS do memory[i], accounts[i] = SUM // ACCOUNTS, SUM // ACCOUNTS end
    data:set("accounts", accounts)

    local function supervise(slot)
      deaths[slot] = 0
      while kills < KILLS do
        local child <close> = assert(ipc.process(work, key, slot, math.random(1 << 30)))
        living[slot] = child
        local problem = child.channel:receive()
        assert(not problem, problem)
        child:wait()
        deaths[slot] = deaths[slot] + 1
      end
    end

    ipc.scope(function(scope)
      for slot = 1, WORKERS do scope:task(supervise, slot) end
      local before, since = 0, ipc.now()
      while kills < KILLS do
        ipc.sleep(math.random() * 0.008)
        local child = living[math.random(WORKERS)]
        if child and child:signal("KILL") then kills = kills + 1 end
        if memory[STEPS] > before then before, since = memory[STEPS], ipc.now() end
        assert.is_true(ipc.now() - since < PATIENCE, "nothing moves")
      end
      for _, child in pairs(living) do child:signal("KILL") end
    end)

    local _ <close>, how = mutex:hold(PATIENCE)
    transfer(memory, how)
    move(data:get("accounts"))
    for slot = 1, WORKERS do
      catch_up(slot, data, queue)
      local ahead = memory[COUNTS + slot] - (data:get("count of " .. slot) or 0)
      assert.is_true(ahead >= 0 and ahead <= deaths[slot], ahead)
    end
    assert.is_true(memory[STEPS] > KILLS)
    assert.equal(0, queue:stat().messages)
    segment.check("queue", key)
    segment.check("mutex", key)
  end)
end)
