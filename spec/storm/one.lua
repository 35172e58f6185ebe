-- SPDX-License-Identifier: MIT
-- Runs one storm on one engine, and says "steps kills stops" of it:
--   ipclua spec/storm/one.lua STORM ENGINE SECONDS SEED

local ipc = require "ipc"
local all = require "spec.storm.all"
local engines = require "spec.support.engines"
local jobs = require "spec.storm.jobs"
local ledger = require "spec.storm.ledger"
local permits = require "spec.storm.permits"
local segment = require "spec.support.segment"
local slots_in = require "spec.storm.slots"

local storm, name, seconds, seed = arg[1], arg[2], tonumber(arg[3]), math.tointeger(arg[4])
local CAPACITY <const>, SIZE <const> = 16000, 660 -- bytes: System V allows 16384
local JOBS <const> = 1 << 26 -- bytes: else dead letters would have to make room

local engine = {name = "file", cleanup = function() end}
for _, other in ipairs(engines) do
  if other.name == name or other.private and name == "private" then engine = other end
end

-- A process that is stopped for longer than its lease loses it, and a dead one keeps it that long.
local limit = {seconds = seconds, seed = seed, stops = engine.lease and engine.lease / 4 or 0.3}
limit.pause = engine.lease and 1

local storms = {}

function storms.all()
  local key = engine.key()
  local function open()
    return assert(ipc.mutex(key)), assert(ipc.shared_memory(key, all.SLOTS)),
      assert(ipc.shared_data(key, {size = 1 << 20})), assert(ipc.queue(key, {codec = "raw", capacity = CAPACITY}))
  end
  local seen = all.storm(limit, {open = open, tells = true, size = SIZE})
  if name == "shm" then
    segment.check("queue", key)
    segment.check("mutex", key)
  end
  return seen
end

-- A file lock tells of no death, so each holder looks for what is to be repaired.
function storms.bank()
  local path = os.tmpname()
  os.remove(path)
  slots_in(path .. ".slots", all.SLOTS)
  local seen = all.storm(limit, {open = function()
    return assert(ipc.file_lock(path)), slots_in(path .. ".slots", all.SLOTS)
  end})
  os.remove(path)
  os.remove(path .. ".slots")
  return seen
end

function storms.ledger()
  local key = engine.key()
  local function open() return ipc.queue(key, {codec = "raw", capacity = CAPACITY}) end
  return ledger(limit, open, CAPACITY // 6, engine.remote)
end

function storms.jobs()
  local key = engine.key()
  local function make()
    return ipc.queue(key, {codec = "raw", capacity = JOBS, attempts = 60000, deaths = 60000, keep = 60000})
  end
  local inherited = engine.private and make()
  local function open() return inherited or make() end
  return jobs.storm(limit, open, math.tointeger(tonumber(os.getenv("STORM_JOBS"))) or 1 << 20, engine.remote)
end

-- A dead holder keeps its lease for a while, so these acquires wait.
local function check_free(lock, max)
  for _ = 1, max do assert(lock:acquire(20), "a permit is lost") end
  assert(not lock:try_acquire(), "there is a permit too many")
end

local function of_permits(max, open)
  local lock = open()
  local seen = permits(limit, max, open)
  seen.steps = seen.got
  return seen, lock
end

function storms.semaphore()
  local key = engine.key()
  local seen, lock = of_permits(3, function() return assert(ipc.semaphore(key, 3)) end)
  check_free(lock, 3)
  return seen
end

-- After the last death there may be no process left to be told.
function storms.mutex()
  local key = engine.key()
  local seen, lock = of_permits(1, function() return assert(ipc.mutex(key)) end)
  local _ <close>, how = assert(lock:hold(20))
  local told = seen.abandoned + (how and 1 or 0)
  assert(seen.hit <= told and told <= seen.hit + seen.perhaps, ("%d told, %d holders killed, %d perhaps"):format(told,
    seen.hit, seen.perhaps))
  return seen
end

function storms.file_lock()
  local path = os.tmpname()
  local seen, lock = of_permits(1, function() return assert(ipc.file_lock(path)) end)
  check_free(lock, 1)
  os.remove(path)
  return seen
end

math.randomseed(seed)
local ok, seen = xpcall(storms[storm], debug.traceback)
engine.cleanup()
if not ok then
  print(seen)
  os.exit(1)
end
print(("%d %d %d"):format(seen.steps, seen.kills, seen.stops))
