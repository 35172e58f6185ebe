-- SPDX-License-Identifier: MIT
-- Processes that take a lock and give it back, killed at any moment and started again, and stopped for a while. Each
-- writes what it does to one log, a line per write, so the log has the order in which things happened: "got" comes
-- after the acquire and "releasing" before the release. A worker that has got it and is neither releasing nor about
-- to be killed holds it.

local ipc = require "ipc"
local weather = require "spec.storm.weather"

local WORKERS, PATIENCE = 8, weather.PATIENCE

local function work(channel, open, note, name)
  local handle = assert(open())
  repeat
    note("wants", name)
    local ok, how = handle:acquire(PATIENCE)
    note(how or (ok and "got") or "failed", name)
    channel:send(ok and "got" or how)
    local order = channel:receive()
    note("releasing", name)
    handle:release()
    note("released", name)
  until order ~= "release"
end

-- Reads the log: which worker held it when, and was killed when.
local function replay(lines, max)
  local state = {}
  local seen = {most = 0, abandoned = 0, hit = 0, perhaps = 0, got = 0}
  local holders = 0
  for line in lines do
    local what, name = line:match("^(%a+) (%S+)$")
    local was = state[name]
    local held = was == "got" or was == "ordered"
    if what == "abandoned" then
      seen.abandoned, what = seen.abandoned + 1, "got"
    end
    if what == "killing" then
      if was == "got" then seen.hit = seen.hit + 1 elseif was ~= "released" then seen.perhaps = seen.perhaps + 1 end
      if held then holders = holders - 1 end
    elseif was ~= "killing" then -- what it did after that need not be in order
      if what == "got" then holders, seen.got = holders + 1, seen.got + 1 end
      if what == "releasing" and held then holders = holders - 1 end
    end
    if was ~= "killing" then state[name] = what end
    seen.most = math.max(seen.most, holders)
    if holders > max then error(("%d holders, at %q"):format(holders, line)) end
    if what == "failed" then error("an acquire failed: " .. line) end
  end
  return seen
end

-- Runs until the limit (weather.lua), or until so many have been killed. `open` makes the handle, in the worker.
-- Returns what was seen: the most holders at a time; how often an acquire got it, or said "abandoned"; how many kills
-- hit a holder, and how many perhaps; kills and stops in all.
return function(limit, max, open)
  if type(limit) == "number" then limit = {kills = limit} end
  local path = os.tmpname()
  local log = assert(io.open(path, "a"))
  log:setvbuf("no")
  local function note(what, name) assert(log:write(what .. " " .. name .. "\n")) end
  local seed = limit.seed or os.time()
  math.randomseed(seed)
  local sky, children, names = weather.sky(limit), {}, {}

  local function kill(slot)
    if not children[slot] then return end
    note("killing", names[slot])
    children[slot]:signal("KILL")
    children[slot], sky.kills = nil, sky.kills + 1
  end

  local function order(slot, word)
    note("ordered", names[slot])
    return children[slot].channel:send(word)
  end

  -- What becomes of one that has got it; most of those that are killed hold it at that moment.
  local function decide(slot)
    local dice = math.random()
    if sky:is_over() then return order(slot, "stop") end
    if dice < 0.5 then return kill(slot) end
    order(slot, "release")
    if dice < 0.7 then return kill(slot) end
    if dice < 0.9 then kill(math.random(WORKERS)) end
  end

  local function supervise(slot)
    local generation = 0
    repeat
      generation = generation + 1
      names[slot] = slot .. ":" .. generation
      local child <close> = assert(ipc.process(work, open, note, names[slot]))
      children[slot] = child
      repeat
        local word, why = child.channel:receive(PATIENCE)
        if word == "got" and children[slot] == child then decide(slot) end
        if word and word ~= "got" or why == "timeout" then error(names[slot] .. " says " .. (word or why)) end
      until not word
      children[slot] = nil
      weather.reap(child)
    until sky:is_over()
  end

  local ok, problem = pcall(ipc.scope, function(scope)
    for slot = 1, WORKERS do scope:task(supervise, slot) end
    sky:stop(scope, children)
  end)
  log:close()
  local done, seen = pcall(replay, io.lines(path), max)
  os.remove(path)
  if not ok or not done then error(("%s (seed %d)"):format(ok and seen or problem, seed), 0) end
  seen.kills, seen.stops = sky.kills, sky.stops
  return seen
end
