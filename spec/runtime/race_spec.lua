-- SPDX-License-Identifier: MIT
-- Results, timeouts and cancellations that race, by the ten thousand and at random: over messages, ticks, signals, the
-- ends of tasks, sleeps, and selects of them all. Every wait ends exactly once and says why; no message, signal or tick
-- is lost or comes twice; and again while the collector is at work. A failure names its seed: RACE_SEED=n repeats it.

local ipc = require "ipc"
local rounds = require "spec.support.rounds"
local shell = require "spec.support.shell"

local SANITIZED <const> = os.getenv("IPC_SANITIZE")
local SEED <const> = tonumber(os.getenv("RACE_SEED")) or os.time()
local random = math.random

-- What the tasks wait for, and the books of it all.
local function new_world()
  local world = {
    channels = {}, timers = {}, targets = {}, signal = ipc.signal("RTMIN+4"), trap = ipc.signal_trap("RTMIN+5"),
    pid = shell.pid(), begun = 0, ended = 0, open = 0,
    sent = 0, got = {}, received = 0, -- messages
    signals = 0, seen = {}, caught = 0, -- signals that carry values
    ticks = {}, outcomes = {},
  }
  world.signal:wait(0) -- collects from now on
  for i = 1, 3 do
    local a, b = ipc.stream_channel_pair()
    world.channels[i] = {a = a, b = b}
  end
  for i = 1, 3 do
    world.timers[i] = ipc.timer(i / 2000)
    world.ticks[i] = {last = 0, count = 0}
  end
  return world
end

local function take_message(world, message)
  assert(not world.got[message], "a message came twice")
  world.got[message] = true
  world.received = world.received + 1
end

local function take_signal(world, info)
  assert(not world.seen[info.value], "a signal came twice")
  world.seen[info.value] = true
  world.caught = world.caught + 1
end

-- Every tick is given to one waiter only, as served or as missed. (The one that gets the next tick may run before.)
local function take_tick(world, i, tick, missed)
  local ticks = world.ticks[i]
  for n = tick - missed, tick do
    assert(not ticks[n], "a tick came twice")
    ticks[n] = true
  end
  ticks.count = ticks.count + missed + 1
  ticks.last = math.max(ticks.last, tick)
end

-- How a wait can be made: returns what came of it, "timeout", or nothing that counts.
local waits = {}

function waits.message(world, timeout)
  local message, why = world.channels[random(3)].b:receive(timeout)
  if not message then return why end
  take_message(world, message)
  return "message"
end

function waits.tick(world, timeout)
  local i = random(3)
  local tick, missed = world.timers[i]:wait(timeout)
  if not tick then return missed end
  take_tick(world, i, tick, missed)
  return "tick"
end

function waits.signal(world, timeout)
  local info, why = world.signal:wait(timeout)
  if not info then return why end
  take_signal(world, info)
  return "signal"
end

function waits.trap(world, timeout)
  local info, why = world.trap:wait(timeout)
  if not info then return why end
  assert(info.number == ipc.signal("RTMIN+5").number)
  return "trap"
end

function waits.join(world, timeout)
  local target = world.targets[random(#world.targets)]
  if not target then return "timeout" end
  local ok, value = target:join(timeout)
  if ok == nil then return value end
  assert(ok and value == target or not ok and value == ipc.cancelled, "a join gave what is not the task's")
  return "join"
end

function waits.sleep(_, timeout)
  ipc.sleep(timeout)
  return "timeout"
end

function waits.select(world, timeout)
  local channel, i = world.channels[random(3)], random(3)
  local target = world.targets[random(#world.targets)]
  local cases = {message = channel.b, tick = world.timers[i], signal = world.signal, trap = world.trap}
  for name in pairs{message = 1, tick = 1, signal = 1, trap = 1} do
    if random(3) == 1 then cases[name] = nil end
  end
  if random(4) == 1 then cases.join = target end
  if not next(cases) then cases.signal = world.signal end
  local which, one, two = ipc.select(cases, timeout)
  if not which then return one end
  if which == "message" then take_message(world, one)
  elseif which == "tick" then take_tick(world, i, one, two)
  elseif which == "signal" then take_signal(world, one) end
  return which
end

-- The results of what ipc.timeout cancels are dropped with it; so its function keeps its books itself.
function waits.timeout(world, timeout)
  local how = ({"message", "signal", "tick", "sleep"})[random(4)]
  local result, why = ipc.timeout(timeout, function() return waits[how](world, random(0, 3) / 1000) end)
  return result or why
end

local names = {"message", "message", "tick", "signal", "trap", "join", "sleep", "select", "select", "select", "timeout"}

-- One task: some waits, one after the other. Each ends once: with a value, a timeout or a cancellation.
local function body(world)
  world.open = world.open + 1
  local _ <close> = setmetatable({}, {__close = function() world.open = world.open - 1 end})
  for _ = 1, random(4) do
    local name = names[random(#names)]
    world.begun = world.begun + 1
    local ok, how = pcall(waits[name], world, random(0, 4) / 2000)
    world.ended = world.ended + 1
    if not ok and how ~= ipc.cancelled then
      world.problem = world.problem or name .. ": " .. tostring(how)
      return
    end
    how = ok and how or "cancelled"
    world.outcomes[how] = (world.outcomes[how] or 0) + 1
    if not ok then
      local again, why = pcall(ipc.sleep, 10)
      if again or why ~= ipc.cancelled then world.problem = "a cancellation was forgotten" end
      return
    end
  end
end

-- Something happens to a task.
local function disturb(world, tasks)
  local dice = random(12)
  if dice <= 4 then
    world.sent = world.sent + 1
    assert(world.channels[random(3)].a:send(world.sent))
  elseif dice <= 6 then
    if world.signal:dispatch(world.pid, world.signals + 1) then world.signals = world.signals + 1 end
  elseif dice == 7 then
    ipc.signal("RTMIN+5"):dispatch(world.pid)
  elseif dice == 8 then
    world.trap:reset()
  elseif dice <= 11 then
    tasks[math.max(1, #tasks - random(0, 40))]:cancel() -- most of the others have ended
  else
    ipc.sleep(random(0, 2) / 2000)
  end
end

local function new_target()
  local target
  target = ipc.task(function()
    ipc.sleep(random(0, 5) / 1000)
    return target
  end)
  return target
end

-- Takes what was not asked for.
local function drain(world)
  for _, channel in ipairs(world.channels) do
    channel.a:close()
    for message in channel.b:messages() do take_message(world, message) end
    channel.b:close()
  end
  local info = world.signal:wait(0)
  while info do
    take_signal(world, info)
    info = world.signal:wait(0)
  end
  for _, timer in ipairs(world.timers) do timer:stop() end
  world.signal:close()
  world.trap:close()
end

local function race(count, seed, each)
  math.randomseed(seed)
  local world, tasks, gone = new_world(), {}, {}
  for i = 1, 20 do world.targets[i] = new_target() end
  for i = 1, count do
    tasks[i] = ipc.task(body, world)
    disturb(world, tasks)
    if random(10) == 1 then
      local n = random(20)
      gone[#gone + 1] = world.targets[n]
      world.targets[n] = new_target()
    end
    if random(50) == 1 then world.targets[random(20)]:cancel() end
    if each then each(i) end
  end
  for i = 1, count do
    local ok, err = tasks[i]:join(30)
    if not ok and err ~= ipc.cancelled then error(err or "a task hangs", 0) end
  end
  for _, target in ipairs(world.targets) do target:close() end
  for _, target in ipairs(gone) do target:close() end
  drain(world)
  assert(not world.problem, world.problem)
  assert(world.begun == world.ended and world.open == 0, "a wait did not end")
  assert(world.received == world.sent, ("%d messages of %d"):format(world.received, world.sent))
  -- TSan puts signals off, and keeps one of each meanwhile
  assert(world.caught == world.signals or SANITIZED == "thread" and world.caught < world.signals,
    ("%d signals of %d"):format(world.caught, world.signals))
  assert(ipc.stats().signals_lost == 0)
  for _, ticks in ipairs(world.ticks) do assert(ticks.count == ticks.last, "a tick is lost") end
  return world
end

local function check(count, each)
  local ok, world = pcall(race, count, SEED, each)
  if not ok then error(("%s (RACE_SEED=%d)"):format(world, SEED), 0) end
  for _, how in ipairs{"message", "tick", "signal", "trap", "join", "timeout", "cancelled"} do
    -- on a busy machine nearly all waits of a short race may be over before one is cancelled
    assert.is_true((world.outcomes[how] or 0) > 0 or count < 2000, how)
  end
  assert.equal(0, #ipc.tasks())
end

describe("a wait", function()
  before_each(function() assert.equal(0, #ipc.tasks()) end)

  it("ends once, and nothing is lost, in whatever order things happen", function()
    check(rounds(SANITIZED and 3000 or 20000))
  end)

  it("does so while the collector is at work all the time", function()
    finally(function() collectgarbage("generational") end)
    collectgarbage("incremental", 1000, 1)
    check(rounds(SANITIZED and 500 or 1000), function(i)
      if i % 10 == 0 then collectgarbage() else collectgarbage("step", 0) end
    end)
    collectgarbage("generational")
    check(rounds(SANITIZED and 500 or 1000), function(i)
      if i % 100 == 0 then collectgarbage() else collectgarbage("step") end
    end)
  end)

  it("does so when a hook collects at every few instructions", function()
    local steps = 0
    local function collect()
      steps = steps + 1
      collectgarbage("step", 0)
    end
    finally(function() debug.sethook() end)
    debug.sethook(collect, "", 400)
    check(rounds(SANITIZED and 300 or 600))
    assert.is_true(debug.gethook() == collect)
    debug.sethook()
    assert.is_true(steps > 100)
  end)
end)
