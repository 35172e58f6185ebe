-- SPDX-License-Identifier: MIT
-- make model: random programs of tasks beside books of what must hold (world.lua). Runs under stock Lua, which no fault
-- of ours can break. The programs run in the host, some hundreds of them in one process, until one fails: then it is
-- told, and the smallest part of it that fails in the same way; another process goes on behind it.
--   lua5.4 spec/model/run.lua HOST [ENGINE|all [SEEDS [START]]]
-- In the environment: MODEL_FAULTS=n, tells that many, 3 by default; MODEL_WITHOUT=1,2,3: operations to leave out.

local shrink = require "spec.model.shrink"

local ENGINES <const> = {"private", "shm", "sysv"}
local PER_PROCESS <const> = 250
local MOST <const> = tonumber(os.getenv("MODEL_FAULTS")) or 3

local host, engine, seeds, start = arg[1], arg[2] or "all", math.tointeger(arg[3]) or 1000, math.tointeger(arg[4]) or 1
local without = os.getenv("MODEL_WITHOUT") or ""
local path = os.tmpname()

-- Runs a worker: nil; or the seed that failed, what it said, and how it ended.
local function run(which, first, count, left_out, impatient)
  local pipe = assert(io.popen(("%s timeout -k 1 %d %s spec/model/worker.lua %s %d %d %s without=%s 2>&1"):format(
    impatient and "MODEL_PATIENCE=0.5" or "", 60 + count, host, which, first, count, path, left_out)))
  local seed, lines = first, {}
  for line in pipe:lines() do
    if math.tointeger(line) then seed, lines = math.tointeger(line), {} else lines[#lines + 1] = line end
  end
  local ok, how, code = pipe:close()
  if ok and not lines[1] then return nil end
  os.execute(("%s spec/model/worker.lua clean %s"):format(host, path))
  return seed, lines, ("%s %d"):format(how, code)
end

local function command_of(which, seed, left_out)
  return ("make model ENGINE=%s START=%d SEEDS=1%s"):format(which, seed, left_out == "" and "" or
    " MODEL_WITHOUT=" .. left_out)
end

local function tell(which, seed, lines, how)
  print(("\n== seed %d on %s: %s, %s\n%s"):format(seed, which, how, command_of(which, seed, without),
    table.concat(lines, "\n")))
  local left_out, fewer = shrink(seed, without, lines[#lines], function(some)
    local _, said = run(which, seed, 1, some, true)
    return said
  end)
  if fewer then
    print(("\n== the same with fewer operations: %s\n%s"):format(command_of(which, seed, left_out),
      table.concat(fewer, "\n")))
  end
end

local function try(which)
  local seed, last, faults = start, start + seeds - 1, 0
  while seed <= last and faults < MOST do
    local count = math.min(PER_PROCESS, last - seed + 1)
    local failed, lines, how = run(which, seed, count, without)
    if failed then
      faults = faults + 1
      tell(which, failed, lines, how)
    end
    seed = failed and failed + 1 or seed + count
  end
  print(("%s: %d seeds from %d, %d failed"):format(which, seed - start, start, faults))
  return faults
end

local faults = 0
for _, which in ipairs(engine == "all" and ENGINES or {engine}) do faults = faults + try(which) end
os.remove(path)
os.exit(faults == 0)
