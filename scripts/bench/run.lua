-- SPDX-License-Identifier: MIT
-- make bench: each line of list.lua runs ours and its peers in turn, A B A B ..., each in a process of its
-- own that prints one number. Told are medians, and the median of the ratios pair by pair.
--   ipclua scripts/bench/run.lua [name ...] [--runs N] [--plot file.svg]

local here = "scripts/bench/"
local host = arg[-1]
local stock = os.getenv("LUA") or "lua5.4"

local benches = assert(loadfile(here .. "list.lua"))(host, stock)

-- What hangs, on a machine that is short of something, is absent.
local function measure(command)
  local pipe = assert(io.popen("timeout 60 " .. command .. " 2>/dev/null"))
  local value = tonumber(pipe:read("a"))
  pipe:close()
  return value
end

local function median(list)
  table.sort(list)
  return list[#list // 2 + 1]
end

local only, runs, picture = {}, 5, nil
do
  local i = 1
  while arg[i] do
    if arg[i] == "--runs" then
      runs, i = tonumber(arg[i + 1]), i + 1
    elseif arg[i] == "--plot" then
      picture, i = arg[i + 1], i + 1
    else
      only[#only + 1] = arg[i]
    end
    i = i + 1
  end
end

local function wanted(name)
  for _, prefix in ipairs(only) do
    if name:find(prefix, 1, true) == 1 then return true end
  end
  return #only == 0
end

local function is_known(prefix)
  for _, bench in ipairs(benches) do
    if bench[1]:find(prefix, 1, true) == 1 then return true end
  end
  return false
end

for _, prefix in ipairs(only) do
  if not is_known(prefix) then
    io.stderr:write(("bench: no benchmark's name begins with '%s'\n"):format(prefix))
    os.exit(2)
  end
end

do
  local commands = {}
  for _, bench in ipairs(benches) do
    for i = 3, wanted(bench[1]) and #bench or 0 do commands[#commands + 1] = bench[i][2] end
  end
  assert(loadfile(here .. "build.lua"))()(host:match("^(.*)/") or ".", commands)
end

io.stdout:setvbuf("line") -- it takes long, and may be followed through a pipe
local broken, missed, results, begun = 0, 0, {}, os.time()
for _, bench in ipairs(benches) do
  local name, unit = bench[1], bench[2]
  if wanted(name) then
    local values, times = {}, math.min(runs, bench.runs or runs)
    for i = 3, #bench do values[i] = {} end
    for run = 1, times do
      for i = 3, #bench do values[i][run] = measure(bench[i][2]) or false end
    end
    results[name] = {unit = unit, count = #bench - 2}
    print(("%s (%s, median of %d)"):format(name, unit, times))
    for i = 3, #bench do
      local who, target = bench[i][1], bench[i][3]
      local ratios, got = {}, {}
      for run = 1, times do
        local mine, value = values[3][run], values[i][run]
        if value then got[#got + 1] = value end
        if mine and value then ratios[#ratios + 1] = mine / value end
      end
      if #ratios == 0 then
        print(("  %-20s absent"):format(who))
        if i == 3 then broken = broken + 1 end
      else
        local ratio, verdict = median(ratios), ""
        if target then
          verdict = ("target %.2f %s"):format(target, ratio <= target and "met" or "MISSED")
          if ratio > target then missed = missed + 1 end
        end
        local middle = median(got)
        results[name][i - 2] = {name = who, median = middle, least = got[1], most = got[#got]}
        print(("  %-20s %12.0f  (%.0f .. %.0f)%s"):format(who, middle, got[1], got[#got],
          i == 3 and "" or ("  ours is %.2f of it  %s"):format(ratio, verdict)))
      end
    end
  end
end
if picture then
  assert(loadfile(here .. "plot.lua"))()(results, picture)
end
print(("%d targets missed, %d programs broken, in %d minutes"):format(missed, broken, (os.time() - begun) // 60))
os.exit(broken == 0)
