-- SPDX-License-Identifier: MIT
-- make storm: processes that are killed and stopped at any instruction, on every engine, on one CPU and on two; each
-- storm is a program of its own (one.lua). Runs under stock Lua, which no fault of ours can break.
--   lua5.4 spec/storm/run.lua HOST
-- In the environment: STORM_SECONDS=10 for each; STORM=name ENGINE=name CPUS=n SEED=n for some of them.

local host = arg[1]
local seconds = tonumber(os.getenv("STORM_SECONDS")) or 10
local only = {storm = os.getenv("STORM"), engine = os.getenv("ENGINE"), cpus = tonumber(os.getenv("CPUS"))}
local seed = math.tointeger(tonumber(os.getenv("SEED"))) or os.time()

local STORMS <const> = {
  {"all", "shm", "sysv", "redis"}, {"bank", "file"}, {"ledger", "shm", "sysv", "redis"},
  {"jobs", "shm", "private", "disk", "redis"}, {"semaphore", "shm", "sysv", "redis"}, {"mutex", "shm", "sysv", "redis"},
  {"file_lock", "file"},
}

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  local ok, how, code = pipe:close()
  return text, ok, ("%s %d"):format(how, code)
end

-- The numbers of the CPUs that we may use, such as "0,1"; as many as that.
local function cpus(count)
  local list = {}
  for first, last in output("taskset -pc $$ 2>/dev/null"):match(":%s*(.*)"):gmatch("(%d+)%-?(%d*)") do
    for n = tonumber(first), tonumber(last) or tonumber(first) do list[#list + 1] = n end
  end
  return list[count] and table.concat(list, ",", 1, count)
end

local rows, failed = {}, 0

local function run(storm, engine, count)
  local on = cpus(count)
  if not on or only.storm and only.storm ~= storm or only.engine and only.engine ~= engine
    or only.cpus and only.cpus ~= count then return end
  seed = seed + 1
  print(("-- %s on %s, %d CPU, seed %d"):format(storm, engine, count, seed))
  local text, ok, how = output(("taskset -c %s timeout -k 5 %d %s spec/storm/one.lua %s %s %g %d 2>&1"):format(on,
    seconds * 3 + 180, host, storm, engine, seconds, seed))
  local row = {storm, engine, count, seed, text:match("(%d+) (%d+) (%d+)%s*$")}
  row.ok = ok and row[5]
  rows[#rows + 1] = row
  if row.ok then return end
  failed = failed + 1
  print(("%s\n-- failed, %s; the same again: make storm STORM=%s ENGINE=%s CPUS=%d SEED=%d"):format(text, how, storm,
    engine, count, seed - 1))
end

for _, storm in ipairs(STORMS) do
  for i = 2, #storm do
    for count = 1, 2 do run(storm[1], storm[i], count) end
  end
end

print(("\n%-10s %-7s %4s %11s %9s %7s %7s"):format("storm", "engine", "CPUs", "seed", "steps", "kills", "stops"))
for _, row in ipairs(rows) do
  local line = ("%-10s %-7s %4d %11d"):format(table.unpack(row, 1, 4))
  print(line .. (row.ok and (" %9d %7d %7d"):format(table.unpack(row, 5)) or "   failed"))
end
print(("%d storms of %g s, %d failed"):format(#rows, seconds, failed))
os.exit(#rows > 0 and failed == 0)
