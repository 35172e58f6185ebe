-- SPDX-License-Identifier: MIT
-- Runs the parts of the test suite one after the other, shows their output and adds up: the last line is
-- "N passed, N failed", alone, and the exit status says the same. Runs under stock Lua, which no fault of
-- ours can break. A part of specs counts busted's tests; any other part counts as one. A busted that
-- crashes, hangs, or runs no test at all is a failure.
--   lua5.4 suite.lua test | sanitize | lint | sweep | points | fuzz

local cwd = assert(io.popen("pwd")):read("l")
local build = os.getenv("BUILD") or "build"
local stock = os.getenv("LUA") or "lua5.4"
local busted = os.getenv("BUSTED") or "/usr/bin/busted"
local spec = os.getenv("SPEC") or "spec"
local DONE = "@@ part ended with status "
local ENDED = "@@ end of "
-- what does not fit a sanitizer: slow; nosan = looks at time, memory or system calls;
-- busy = a signal has to interrupt code that never waits, which TSan puts off until it does
local TAGS = {address = "slow,nosan", thread = "slow,nosan,busy"}

local results = {}

local function clock()
  local file = assert(io.open("/proc/uptime"))
  local seconds = file:read("n")
  file:close()
  return seconds
end

-- Shows the output as it comes; returns the exit status and the output. The shell says when the command has
-- ended: waiting for the end of the pipe would wait for every stray process that inherited it.
local function run(command, seconds)
  local pipe = assert(io.popen(("{ timeout -k 5 %d %s; } </dev/null 2>&1; printf '\\n%s%%d\\n' $?")
    :format(seconds, command, DONE)))
  local lines, status = {}, nil
  for line in pipe:lines() do
    status = line:match("^" .. DONE .. "(%d+)$")
    if status then break end
    lines[#lines + 1] = line
    print(line)
    io.stdout:flush()
  end
  pipe:close()
  return math.tointeger(status) or 255, table.concat(lines, "\n")
end

local function why_of(status)
  if status == 124 or status == 137 then return "ran out of time, or was killed" end
  if status > 128 then return "died of signal " .. status - 128 end
  return "exit status " .. status
end

local function record(name, started, result)
  result.name, result.seconds, result.notes = name, clock() - started, result.notes or {}
  results[#results + 1] = result
  if result.why then print(("suite: %s: %s"):format(name, result.why)) end
  return result.failed == 0
end

local function title(name)
  print("\n== " .. name)
  return clock()
end

local function part(name, command, seconds)
  local started = title(name)
  local status, output = run(command, seconds or 120)
  return record(name, started, status == 0 and {passed = 1, failed = 0}
    or {passed = 0, failed = 1, why = why_of(status), notes = {output:sub(-2000)}})
end

-- A busted for each file, as many at a time as there are CPUs: a process that has many specs behind it is large, and
-- forks slowly.
local function each_file(command, where)
  return ("env SPEC_COMMAND=%q sh -c \"find %s -name '*_spec.lua' | LC_ALL=C sort | "
    .. "xargs -P $(nproc) -n 1 scripts/tools/spec-file\""):format(command, where)
end

-- What busted says of the tests that failed, without the tracebacks: shown once more at the end.
local function failures(output)
  local notes, note = {}, nil
  for line in output:gmatch("[^\n]*") do
    if line:find("^Failure %S+ ") or line:find("^Error %S+ ") then
      note = {line}
      notes[#notes + 1] = note
    elseif note and line ~= "stack traceback:" and #note < 12 then
      note[#note + 1] = line ~= "" and line or nil
    else
      note = nil
    end
  end
  for i, lines in ipairs(notes) do notes[i] = table.concat(lines, "\n  ") end
  return notes
end

-- Adds up what each file's busted says of itself. One that says nothing has failed.
local function count(output)
  local total, found = {passed = 0, failed = 0, pending = 0, whys = {}}, nil
  for line in output:gmatch("[^\n]+") do
    local ok, bad, err, pending = line:match("^(%d+) success%a* / (%d+) failures? / (%d+) errors? / (%d+) pending")
    local file, status = line:match("^" .. ENDED .. "(%S+) (%d+)$")
    if ok then
      found = {passed = tonumber(ok), failed = bad + err, pending = tonumber(pending)}
    elseif file then
      local why = not found and "no summary: " .. why_of(tonumber(status))
        or status ~= "0" and found.failed == 0 and why_of(tonumber(status))
      found = found or {passed = 0, failed = 0, pending = 0}
      for key in pairs(found) do total[key] = total[key] + found[key] end
      if why then
        total.failed = total.failed + 1
        total.whys[#total.whys + 1] = file .. ": " .. why
      end
      found = nil
    end
  end
  return total
end

-- the specs below `where`, run by `command`; `logs`: where a sanitizer leaves its reports
local function specs(name, command, where, logs)
  local started = title(name)
  if logs then os.execute(("rm -f %s.*"):format(logs)) end
  local status, output = run(each_file(command, where), 600)
  local result = count(output)
  result.notes = failures(output)
  if status == 124 or status == 137 then result.whys[#result.whys + 1] = why_of(status) end
  if result.passed == 0 then result.whys[#result.whys + 1] = "no test was run" end
  if result.whys[1] then
    result.why = table.concat(result.whys, "; ")
    result.failed = math.max(result.failed, 1)
  end
  -- a process that a spec started reports into its own file; under strace LSan can only give up, and in a forked child
  -- that calls exit() it misses its parent's threads
  local found = logs and io.popen(("grep -lv 'False leaks are possible' %s.* 2>/dev/null | "
    .. "xargs -r grep -L 'does not work under ptrace'"):format(logs)):read("a")
  if found and found ~= "" then
    local reports = io.popen("cat " .. found:gsub("\n", " ")):read("a")
    print(reports)
    result.notes[#result.notes + 1] = reports:sub(1, 4000)
    result.failed, result.why = result.failed + 1, "the sanitizer reports the above"
  end
  return record(name, started, result)
end

local function make(name, arguments, goal)
  -- a make of its own: what the calling make hands down (-j, -n) is not for this one
  return part(name, "env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory -j$(nproc) "
    .. arguments .. " " .. (goal or "all"), 170)
end

local function host_specs()
  local host = ("%s/%s/ipclua"):format(cwd, build)
  return specs("specs under ipclua", ("env IPCLUA=%s %s %s"):format(host, host, busted), spec)
end

-- what is slow is so because of many processes, not because of who runs them
local function stock_specs()
  return specs("specs under " .. stock, ("env IPCLUA=%s/%s/ipclua LUA_CPATH=%s/%s/?.so;; %s %s --exclude-tags=slow")
    :format(cwd, build, cwd, build, stock, busted), spec)
end

local function sanitized(kind, where)
  local short = kind == "thread" and "tsan" or "asan"
  local san = kind == "thread" and "thread" or "address,undefined"
  local folder = cwd .. "/build/" .. short
  if not make(short .. " build", ("BUILD=build/%s SAN=%s CFLAGS='-O1 -g'"):format(short, san)) then return end
  local common = ("log_path=%s/log:exitcode=99"):format(folder)
  local options = kind == "thread"
    and ("TSAN_OPTIONS=%s:die_after_fork=0"):format(common)
    or ("ASAN_OPTIONS=%s:detect_leaks=1 UBSAN_OPTIONS=%s:print_stacktrace=1:halt_on_error=1"):format(common, common)
  -- TSan's shadow memory wants the addresses where it expects them; a container may forbid to say so
  local steady = kind == "thread" and os.execute("setarch -R true 2>/dev/null") and "setarch -R " or ""
  specs("specs under " .. short, ("env IPC_SANITIZE=%s IPCLUA=%s/ipclua %s %s%s/ipclua %s --exclude-tags=%s")
    :format(kind, folder, options, steady, folder, busted, TAGS[kind]), where, folder .. "/log")
end

local function lint()
  part("luacheck", "luacheck -q --no-color .")
  part("names", ("%s/ipclua scripts/tools/lint.lua"):format(build))
  part("floors", stock .. " scripts/tools/floors.lua")
end

local function sweep(points)
  if not os.execute("ls spec/support/oom/*.lua >/dev/null 2>&1") then return end
  if not make("oom build", "BUILD=build/oom OOM=1 SAN=address,undefined CFLAGS='-O1 -g'") then return end
  part("out of memory", ("%s scripts/tools/oom.lua build/oom/ipclua %s"):format(stock, points), points == "" and 36000)
end

-- a process dies at every store into shared memory
local function points()
  if not make("points build", "BUILD=build/points POINTS=1 CFLAGS='-O1 -g'", "build/points/ipclua") then return end
  local program = cwd .. "/build/points/ipclua"
  specs("specs of kill points", ("env IPCLUA=%s %s %s"):format(program, program, busted), "spec/engines/points")
end

-- every target of spec/fuzz for some seconds: by libFuzzer if clang has it, else by spec/fuzz/driver.c
local function fuzz(seconds)
  local clang = os.execute("echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return !p || n < 0; }' | "
    .. "clang -fsanitize=fuzzer -xc - -o /dev/null 2>/dev/null")
  local settings = clang and "CC=clang SAN=address,undefined,fuzzer-no-link" or "SAN=address,undefined"
  if not make("fuzz build", "BUILD=build/fuzz CFLAGS='-O1 -g' " .. settings, "fuzzers") then return end
  for path in io.popen("LC_ALL=C ls spec/fuzz/*.c"):lines() do
    local name = path:match("([^/]+)%.c$")
    local arguments = not clang and seconds
      or ("-max_total_time=%d -max_len=4096 -timeout=10 corpus-%s"):format(seconds, name)
    if name ~= "driver" then
      local command = "sh -c 'cd build/fuzz && mkdir -p corpus-NAME && if UBSAN_OPTIONS=halt_on_error=1 ./fuzz-NAME %s "
        .. ">log-NAME 2>&1; then tail -n 1 log-NAME; else cat log-NAME; false; fi'"
      part("fuzz " .. name, command:gsub("NAME", name):format(arguments), seconds + 60)
    end
  end
end

local suites = {}

function suites.test()
  if not make("build", "WERROR=1") then return end
  lint()
  host_specs()
  stock_specs()
  sanitized("address", spec)
  sanitized("thread", spec == "spec" and "spec/runtime" or spec)
  sweep("30")
  points()
  fuzz(3)
  part("rock", "scripts/tools/rock")
end

function suites.sanitize()
  sanitized("address", spec)
  sanitized("thread", spec)
end

function suites.lint() lint() end
function suites.sweep() sweep("") end
function suites.points() points() end
function suites.fuzz() fuzz(tonumber(os.getenv("FUZZ_SECONDS")) or 20) end

local suite = suites[arg[1]]
if not suite then error("usage: suite.lua test|sanitize|lint|sweep|points|fuzz") end
suite()

print("\n== summary")
local passed, failed = 0, 0
for _, result in ipairs(results) do
  passed, failed = passed + result.passed, failed + result.failed
  print(("%-24s %5d passed %4d failed %4d pending %7.1f s"):format(
    result.name, result.passed, result.failed, result.pending or 0, result.seconds))
end
for _, result in ipairs(results) do
  if result.failed > 0 then
    print(("\n== failed: %s: %s"):format(result.name, result.why or ""))
    for _, note in ipairs(result.notes) do print(note) end
  end
end

local total = ("%d passed, %d failed"):format(passed, failed)
-- for .ci/run, which says it once more below what make has to say about a failure
local file = io.open("build/total", "w")
if file then
  file:write(total, "\n")
  file:close()
end
print(total)
os.exit(failed == 0 and passed > 0)
