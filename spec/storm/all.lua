-- SPDX-License-Identifier: MIT
-- Eight processes use a lock, memory, shared data and a queue all together, killed and stopped at any instruction. What
-- the lock guards is repaired by the process that is told "abandoned", as in scripts/examples/mutex.lua; one that
-- is not told finds nothing to repair. `parts` has
--   open()    returns what a process uses: lock, memory, data, queue (raw); without data there is no queue
--   tells     whether the lock tells of deaths
--   size      of the largest message; the queue has room for three of each process, or a little less

local ipc = require "ipc"
local weather = require "spec.storm.weather"

local WORKERS <const>, ACCOUNTS <const>, SUM <const> = 8, 10, 1000
local CHANGING <const>, FROM <const>, TO <const>, COUNTS <const> = 20, 21, 22, 40 -- slots

local all = {SLOTS = 64}

local function check(condition, text, ...)
  if not condition then error(text:format(...), 0) end
end

-- From one account to another. The old values are there as long as the new ones cannot be trusted.
local function transfer(memory, may_repair)
  local changing = memory[CHANGING]
  check(changing == 0 or may_repair, "no process was told of a death")
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

local function body(slot, n, size)
  return ("%d:%d:%s"):format(slot, n, string.char(97 + n % 26):rep(n * 7919 % (size - 20)))
end

-- Messages of a type of its own: what it has sent and received so far is written down after the fact, so each death
-- since then may have taken one with it, and the last may have sent one more.
local function catch_up(slot, data, queue, size)
  local sent, received = data:get("sent by " .. slot) or 0, data:get("received by " .. slot) or 0
  local deaths, n = data:add("deaths of " .. slot, 1), nil
  for message in function() return (queue:receive(slot, 0)) end do
    local number = math.tointeger(tonumber(message:match("^%d+:(%d+):")))
    check(number and message == body(slot, number, size), "torn: %s", message:sub(1, 40))
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

local function exchange(slot, data, queue, size, sent, received)
  if sent - received < 3 then
    sent = sent + 1
    check(queue:send(slot, body(slot, sent, size), weather.PATIENCE), "not sent")
    data:set("sent by " .. slot, sent)
  end
  if math.random(3) > 1 and sent > received then
    local message = queue:receive(slot, weather.PATIENCE)
    received = received + 1
    check(message == body(slot, received, size), "not %d: %s", received, message and message:sub(1, 40))
    data:set("received by " .. slot, received)
  end
  return sent, received
end

local function hold(lock, parts, memory)
  local guard <close>, how = lock:hold(weather.PATIENCE)
  check(guard, "the lock does not come: %s", how)
  transfer(memory, how == "abandoned" or not parts.tells)
end

local function work(channel, parts, slot, seed)
  math.randomseed(seed)
  local ok, problem = pcall(function()
    local lock, memory, data, queue = parts.open()
    local sent = data and catch_up(slot, data, queue, parts.size)
    local received = sent
    while true do
      hold(lock, parts, memory)
      memory:add(COUNTS + slot, 1)
      if data then
        check(data:update("accounts", move), "not updated")
        sent, received = exchange(slot, data, queue, parts.size, sent, received)
        data:add("count of " .. slot, 1)
      end
    end
  end)
  channel:send(tostring(problem or ok))
end

-- What is left when all are gone.
local function check_end(parts, deaths, lock, memory, data, queue)
  hold(lock, parts, memory)
  for slot = 1, data and WORKERS or 0 do
    catch_up(slot, data, queue, parts.size)
    local ahead = memory[COUNTS + slot] - (data:get("count of " .. slot) or 0)
    check(ahead >= 0 and ahead <= deaths[slot], "%d counts of %d are ahead", ahead, slot)
  end
  if not data then return end
  move(data:get("accounts"))
  check(queue:stat().messages == 0, "messages of no process")
end

-- Until the limit (weather.lua). Returns {kills =, stops =, steps =}.
function all.storm(limit, parts)
  local lock, memory, data, queue = parts.open()
  local accounts = {}
  for i = 1, ACCOUNTS do memory[i], accounts[i] = SUM // ACCOUNTS, SUM // ACCOUNTS end
  if data then data:set("accounts", accounts) end
  local seen = weather.storm(limit, WORKERS, function(slot)
    return ipc.process(work, parts, slot, math.random(1 << 30))
  end, function(_, child)
    local problem = child.channel:receive()
    assert(not problem, problem)
  end, function(slot) return memory[COUNTS + slot] end)
  check_end(parts, seen.deaths, lock, memory, data, queue)
  seen.steps = 0
  for slot = 1, WORKERS do seen.steps = seen.steps + memory[COUNTS + slot] end
  return seen
end

return all
