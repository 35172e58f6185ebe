-- SPDX-License-Identifier: MIT
-- make model: random programs of tasks beside the books of what must hold (spec/model/world.lua). Runs under stock Lua,
-- which no fault of ours can break; the programs run in the host, some thousand of them in one process, until one
-- fails: then that seed is told, and another process goes on behind it.
--   lua5.4 spec/model/run.lua HOST [ENGINE|all [SEEDS [START]]]

local host, engine, seeds, start = arg[1], arg[2] or "all", math.tointeger(arg[3]) or 1000, math.tointeger(arg[4]) or 1
local ENGINES <const> = {"private", "shm", "sysv"}
local MOST <const> = tonumber(os.getenv("FAULTS")) or 5 -- so many are told
local PER_PROCESS <const> = 1000

local function output(which, first, count)
  local pipe = assert(io.popen(("timeout -k 1 %d %s spec/model/worker.lua %s %d %d 2>&1"):format(30 + count // 5, host,
    which, first, count)))
  local last, lines = first, {}
  for line in pipe:lines() do
    local seed = math.tointeger(line)
    if seed then last, lines = seed, {} else lines[#lines + 1] = line end
  end
  local ok, how, code = pipe:close()
  return ok and not lines[1], last, lines, ("%s %s"):format(how, code)
end

local function tell(which, seed, lines, how)
  print(("== seed %d on %s fails (%s); the same again: make model ENGINE=%s START=%d SEEDS=1"):format(seed, which, how,
    which, seed))
  if not os.getenv("QUIET") then print(table.concat(lines, "\n")) else print(lines[#lines]) end
end

local function try(which)
  local seed, last, faults = start, start + seeds - 1, 0
  while seed <= last and faults < MOST do
    local ok, at, lines, how = output(which, seed, math.min(PER_PROCESS, last - seed + 1))
    if ok then at = at else
      faults = faults + 1
      tell(which, at, lines, how)
    end
    seed = at + 1
  end
  print(("%s: %d seeds from %d, %d failed"):format(which, seed - start, start, faults))
  return faults
end

local failed = 0
for _, which in ipairs(engine == "all" and ENGINES or {engine}) do failed = failed + try(which) end
os.exit(failed == 0)
