-- SPDX-License-Identifier: MIT
-- make bench: each line of the table below runs ours and its peers in turn, A B A B ..., each in a process of its
-- own that prints one number. Told are medians, and the median of the ratios pair by pair.
--   ipclua scripts/bench/run.lua [name ...] [--runs N]

local here = "scripts/bench/"
local host = arg[-1]
local stock = os.getenv("LUA") or "lua5.4"

local function lua(program, file, extra)
  return ("%s %s%s.lua %s"):format(program, here, file, extra or "")
end

local function starts(program)
  return ("sh -c 'a=$(date +%%s%%N); for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do %s -e \"\"; done; "
    .. "echo $((($(date +%%s%%N) - a) / 20))'"):format(program)
end

-- {what, unit, {who, command[, target: at most this times the peer]}...}: ours is the first
local benches = {
  {"start", "ns", {"ipclua", starts(host)}, {"lua5.4", starts(stock), 1.2}},
  {"pure", "ns", {"ipclua", lua(host, "pure")}, {"lua5.4", lua(stock, "pure"), 1.05}},
  {"generator", "ns", {"ipclua", lua(host, "generator")}, {"lua5.4", lua(stock, "generator"), 1.1}},
  {"switch", "ns", {"ipclua", lua(host, "switch")}, {"cqueues", lua(stock, "switch_cqueues"), 0.4},
    {"bare resume", lua(stock, "switch_bare")}},
  {"timers", "ns", {"ipclua", lua(host, "timers")}, {"luv", lua(stock, "timers_luv"), 0.5},
    {"cqueues", lua(stock, "timers_cqueues")}},
  {"sleepers", "bytes", {"ipclua", lua(host, "sleepers")}, {"cqueues", lua(stock, "sleepers_cqueues"), 1}},
  {"oneway", "ns", {"ipclua raw", lua(host, "channel", "oneway raw")},
    {"ipclua json", lua(host, "channel", "oneway json")},
    {"ipclua table", lua(host, "channel", "oneway table")}, {"C", "build/bench/socketpair oneway"},
    {"python", "python3 " .. here .. "pipe.py oneway", 1}},
  {"roundtrip", "ns", {"ipclua raw", lua(host, "channel", "roundtrip raw")},
    {"ipclua table", lua(host, "channel", "roundtrip table")}, {"C", "build/bench/socketpair roundtrip"},
    {"python", "python3 " .. here .. "pipe.py roundtrip", 1}},
}
for _, pending in ipairs{100, 1000, 10000, 100000, 1000000} do
  benches[#benches + 1] = {"one of " .. pending .. " timers", "ns", {"ipclua", lua(host, "pending", pending)}}
end

local function measure(command)
  local pipe = assert(io.popen(command .. " 2>/dev/null"))
  local value = tonumber(pipe:read("a"))
  pipe:close()
  return value
end

local function median(list)
  table.sort(list)
  return list[#list // 2 + 1]
end

local only, runs = {}, 5
do
  local i = 1
  while arg[i] do
    if arg[i] == "--runs" then
      runs, i = tonumber(arg[i + 1]), i + 1
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

os.execute("mkdir -p build/bench && cc -O2 -o build/bench/socketpair " .. here .. "socketpair.c")

local broken, missed = 0, 0
for _, bench in ipairs(benches) do
  local name, unit = bench[1], bench[2]
  if wanted(name) then
    local values = {}
    for _ = 1, runs do
      for i = 3, #bench do
        values[i] = values[i] or {}
        table.insert(values[i], measure(bench[i][2]) or nil)
      end
    end
    print(("%s (%s, median of %d)"):format(name, unit, runs))
    for i = 3, #bench do
      local who, target = bench[i][1], bench[i][3]
      local ratios = {}
      for run = 1, #values[i] do ratios[run] = values[3][run] and values[3][run] / values[i][run] end
      if #values[i] < runs then
        print(("  %-14s absent"):format(who))
        if i == 3 then broken = broken + 1 end
      else
        local ratio, verdict = median(ratios), ""
        if target then
          verdict = ("target %.2f %s"):format(target, ratio <= target and "met" or "MISSED")
          if ratio > target then missed = missed + 1 end
        end
        local least = math.min(table.unpack(values[i]))
        local most = math.max(table.unpack(values[i]))
        local middle = median(values[i])
        print(("  %-14s %12.0f  (%.0f .. %.0f)%s"):format(who, middle, least, most,
          i == 3 and "" or ("  ours is %.2f of it  %s"):format(ratio, verdict)))
      end
    end
  end
end
print(("%d targets missed, %d programs broken"):format(missed, broken))
os.exit(broken == 0)
