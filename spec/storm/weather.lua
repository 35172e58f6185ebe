-- SPDX-License-Identifier: MIT
-- What befalls the processes of a storm: at any moment one of them is killed, and started again, or stopped for a
-- while. limit: {kills =} or {seconds =}; stops = the longest time that one is stopped, in seconds, nil: none is;
-- pause = the longest time between two kills.

local ipc = require "ipc"

local weather = {PATIENCE = 60}

local STOPPERS <const> = 2 -- so many may be stopped at a time

-- Waits for its end: it has been killed, or was told to end; else a sanitizer, or the system, has ended it.
function weather.reap(child)
  local _, how, code = child:wait()
  local expected = how == "signal" and code == 9 or how == "exit" and code == 0
  assert(expected, ("a process ended by %s %s"):format(how, code))
end

-- Counts what has happened, and says whether it is over.
local Sky = {}
Sky.__index = Sky

function Sky:is_over()
  return self.kills >= (self.limit.kills or math.huge) or ipc.now() - self.start >= (self.limit.seconds or math.huge)
end

local function any_of(living)
  local slots = {}
  for slot in pairs(living) do slots[#slots + 1] = slot end
  local slot = slots[1] and slots[math.random(#slots)]
  return slot and living[slot], slot
end

-- One after the other is stopped, goes on, or is killed before it does.
local function stop_some(self, living)
  while not self:is_over() do
    ipc.sleep(math.random() * 0.05)
    local child = any_of(living)
    if child and child:signal("STOP") then
      self.stops = self.stops + 1
      ipc.sleep(math.random() ^ 3 * self.limit.stops) -- mostly short
      child:signal("CONT")
    end
  end
end

function weather.sky(limit)
  return setmetatable({limit = limit, kills = 0, stops = 0, start = ipc.now()}, Sky)
end

-- Adds the tasks that stop some of those that live: {slot = child}.
function Sky:stop(scope, living)
  if not self.limit.stops then return end
  for _ = 1, STOPPERS do scope:task(stop_some, self, living) end
end

-- When all is calm again each of those that live has to get on: none sleeps through what has happened.
local function wait_for_all(living, progress)
  local before, deadline = {}, ipc.now() + weather.PATIENCE
  for slot in pairs(living) do before[slot] = progress(slot) end
  for slot, count in pairs(before) do
    while living[slot] and progress(slot) == count do
      assert(ipc.now() < deadline, "one of the processes does not get on")
      ipc.sleep(0.01)
    end
  end
end

-- Keeps so many processes alive until it is over: start(slot) makes one; attend(slot, child) stays with it until it
-- says no more, and raises if something is wrong. progress(slot): a number that grows. Returns the kills and stops that
-- there were, and the deaths of each slot.
function weather.storm(limit, workers, start, attend, progress)
  local sky, living, deaths = weather.sky(limit), {}, {}

  local function supervise(slot)
    deaths[slot] = 0
    while not sky:is_over() do
      local child <close> = assert(start(slot))
      living[slot] = child
      attend(slot, child)
      living[slot] = nil
      weather.reap(child)
      deaths[slot] = deaths[slot] + 1
    end
  end

  local function total()
    local sum = 0
    for slot = 1, workers do sum = sum + progress(slot) end
    return sum
  end

  ipc.scope(function(scope)
    for slot = 1, workers do scope:task(supervise, slot) end
    sky:stop(scope, living)
    local before, since = total(), ipc.now()
    while not sky:is_over() do
      ipc.sleep(math.random() * (limit.pause or 0.01))
      local child, slot = any_of(living)
      if child and child:signal("KILL") then
        sky.kills = sky.kills + 1
        living[slot] = nil
      end
      local now = total()
      if now ~= before then before, since = now, ipc.now() end
      assert(ipc.now() - since < weather.PATIENCE, "nothing moves")
    end
    wait_for_all(living, progress)
    for _, child in pairs(living) do child:signal("KILL") end
  end)
  return {kills = sky.kills, stops = sky.stops, deaths = deaths}
end

return weather
