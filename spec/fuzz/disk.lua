-- SPDX-License-Identifier: MIT
-- Queues and shared data on a disk whose records are damaged while they are in use (spec/support/peers/disk_damage.c).
-- Of a queue there are messages in every state, and a holder that has died. Nothing may crash, hang, or raise; an error
-- names the object.
--   ipclua spec/fuzz/disk.lua [SECONDS [SEED]]

local ipc = require "ipc"
local peer = require "spec.support.peer"

local SECONDS <const> = tonumber(arg[1]) or 20
local SEED <const> = math.tointeger(tonumber(arg[2])) or os.time()
local STEPS <const>, ROUNDS <const>, LATE <const> = 30, 40, 10
local DAMAGED <const> = 117
local TOLD <const> = {[11] = true, [17] = true, [28] = true, [43] = true, [71] = true, [90] = true, [105] = true}

print(("fuzz: disk: seed %d"):format(SEED))
math.randomseed(SEED)

local base = peer.output("mktemp -d -t ipclua-fuzz.XXXXXX"):match("%S+")
local damage <const> = peer.compile("disk_damage.c", "-Wl,--no-as-needed -llmdb")
local folder, kept, tally, count = nil, {}, {}, 0

-- What a call has answered: an error is one that it may have, and one of damage names the object.
local function check(what, name, ok, ...)
  local result, why, code = ...
  if not ok and tostring(result):find("?name=" .. name .. ": ", 1, true) then return end -- of an iterator
  if not ok then error(what .. " raised " .. tostring(result), 0) end
  if result ~= nil or type(why) ~= "string" then return ... end
  tally[why:gsub("%d+", "N")] = (tally[why:gsub("%d+", "N")] or 0) + 1
  if code == DAMAGED then assert(why:find(name, 1, true), what .. why) end
  assert(not code or code == DAMAGED or TOLD[code], ("%s: %s, %s"):format(what, why, code))
  return ...
end

local function any(list) return list[math.random(#list)] end

local function how()
  local dice = math.random(6)
  if dice == 1 then return {id = "id" .. math.random(9)} end
  if dice == 2 then return {after = math.random(2) == 1 and 0.001 or 3600} end
  return dice == 3 and {attempts = math.random(3)} or nil
end

local function type_of() return math.random(-3, 3) end

local queue_steps = {
  function(q) return q:send(math.random(3), ("s"):rep(math.random(0, 3) ^ 7 // 1 | 0), 0, how()) end,
  function(q)
    local ok, why = q:send_many(math.random(3), {"a", ("b"):rep(1500), "c"}, 0)
    return ok, why
  end,
  function(q) return q:receive(type_of(), 0) end,
  function(q) return q:receive(7, 0.002) end,
  function(q) return q:receive_many(3, type_of(), 0) end,
  function(q) return q:peek(type_of()) end,
  function(q) return q:stat() end,
  function(q) return q:revive(math.random(2) == 1 and "id" .. math.random(9) or nil) end,
  function(q) return q:drop(math.random(2) == 1 and "id" .. math.random(9) or nil) end,
  function(q)
    for letter in q:dead() do kept.letter = letter.message end
  end,
  function(q)
    local job, why, code = q:take(type_of(), 0)
    if not job then return job, why, code end
    kept[math.random(4)] = job
  end,
  function()
    local at = math.random(4)
    local job = kept[at]
    kept[at] = nil
    if not job then return end
    local word = any{"done", "release", "retry", "bury", "next"}
    if word == "next" then return job:done(2, "next") end
    return job[word](job, word == "retry" and math.random(0, 1) * 0.001 or nil)
  end,
}

local data_steps = {
  function(d) return d:get("n" .. math.random(9)) end,
  function(d)
    return d:set("n" .. math.random(9), ("v"):rep(math.random(3000)), nil, any{{ttl = 0.001}, {ttl = 60}, {}})
  end,
  function(d) return d:delete("n" .. math.random(9)) end,
  function(d) return d:count() end,
  function(d)
    for name in d:each(any{"", "n", "n1"}) do kept.name = name end
  end,
  function(d)
    return d:change(function(t)
      t:set("n1", t:get("n" .. math.random(9)) or "none")
      t:delete("n" .. math.random(9))
      return true
    end)
  end,
  function(d) return d:wait("n" .. math.random(9), nil, 0.002) end,
  function(d) return d:clear() end,
}

local function fill_queue(q)
  for i = 1, 12 do q:send(i % 3 + 1, ("m"):rep(i % 4 * 700), 0, how()) end
  for i = 1, 3 do
    local job = q:take(0, 0)
    if job and i < 3 then job:bury("why " .. i) end
  end
end

local function fill_data(d)
  for i = 1, 9 do d:set("n" .. i, ("v"):rep(i * 300), nil, i % 3 == 0 and {ttl = 60} or nil) end
end

-- A process that takes, and is killed.
local function die_holding(key)
  local child <close> = assert(ipc.process(function(channel)
    local q = assert(ipc.queue(key, {codec = "raw", sync = "soon"}))
    q:take(0, 0)
    q:take(0, 0)
    channel:send("taken")
    channel:receive()
  end))
  child.channel:receive(LATE)
  child:signal("KILL")
  child:wait(LATE)
end

local NOUNS <const> = {
  {
    make = ipc.queue, options = {codec = "raw", capacity = 30000, sync = "soon", keep = 5, deaths = 2},
    fill = fill_queue, steps = queue_steps, tables = ("queue:%s "):rep(15) .. "objects",
  },
  {
    make = ipc.shared_data, options = {codec = "raw", sync = "soon"}, fill = fill_data,
    steps = data_steps, tables = ("data:%s "):rep(12) .. "due:%s due:%s objects",
  },
}

local function round(number)
  local noun, name = any(NOUNS), "n" .. number
  local key = ipc.disk_key(folder, name)
  local object = check("make", name, pcall(noun.make, key, noun.options))
  if not object then return end -- its record has been another one's
  noun.fill(object)
  if noun.make == ipc.queue and number % 5 == 0 then die_holding(key) end
  local tables = noun.tables:gsub("%%s", name)
  for step = 1, STEPS do
    local dice, start = math.random(12), ipc.now()
    if dice <= 2 then
      assert(os.execute(("%s %s %d %d %s"):format(damage, folder, math.random(1 << 30), math.random(3), tables)))
    elseif dice == 3 and object then
      object:close()
      object = check("open", name, pcall(noun.make, key, noun.options))
    elseif object then
      check("step " .. step, name, pcall(any(noun.steps), object))
    end
    assert(ipc.now() - start < LATE, "a call hangs")
  end
  kept = {}
  collectgarbage()
  if object then check("remove", name, pcall(object.remove, object)) end
  if object then object:close() end
end

local deadline = ipc.now() + SECONDS
while ipc.now() < deadline do
  if count % ROUNDS == 0 then
    os.execute("rm -rf " .. base .. "/*")
    folder = ("%s/%d"):format(base, count)
  end
  count = count + 1
  round(count)
end
os.execute("rm -rf " .. base)
peer.clean()
if os.getenv("V") then
  for why, times in pairs(tally) do print(times, why) end
end
print(("fuzz: disk: %d rounds, no fault"):format(count))
