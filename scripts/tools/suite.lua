-- SPDX-License-Identifier: MIT
-- The parts of the test suite: what is built, then what runs, all side by side (scripts/tools/runner.lua). The last
-- line is "N passed, N failed", alone, and the exit status says the same. Runs under stock Lua, which no fault of ours
-- can break.
--   lua5.4 suite.lua test | sanitize | lint | sweep | points | fuzz

package.path = "scripts/tools/?.lua;" .. package.path
local runner = require "runner"

local cwd = assert(io.popen("pwd")):read("l")
local build = os.getenv("BUILD") or "build"
local stock = os.getenv("LUA") or "lua5.4"
local busted = os.getenv("BUSTED") or "/usr/bin/busted"
local spec = os.getenv("SPEC") or "spec"
-- What does not fit: slow; nosan = looks at time, memory or system calls; busy = a signal has to interrupt code that
-- never waits, which TSan puts off until it does.
local TAGS = {stock = "slow", address = "slow,nosan", thread = "slow,nosan,busy"}
-- Files that would show the same again: C programs with sanitizers of their own; under stock Lua the engines, which are
-- the same C code, and what starts the host; under ASan what is written in Lua; under TSan what has one thread. Kill
-- points have a program of their own.
local SKIPPED = {
  host = {"/points/"},
  stock = {
    "spec/engines/", "_traffic_", "_death_", "_end_", "_all_", "/codec_", "/host_", "/examples_", "/pages_",
    "spec/ipctl/",
  },
  address = {"/points/", "spec/ipctl/", "/explain_"},
  thread = {"/points/", "/host_", "/examples_end_", "/explain_"},
}
local TOOLS = {address = {"asan", "address,undefined"}, thread = {"tsan", "thread"}}

local function part(name, command, seconds)
  runner.add(runner.part{name = name}, name, command, seconds)
end

-- Whether the file is for that part; all are for all if the user chose them.
local function fits(path, kind)
  for _, pattern in ipairs(spec == "spec" and SKIPPED[kind] or {}) do
    if path:find(pattern, 1, true) then return false end
  end
  return true
end

-- the specs below `where` that fit, run by `command`, each for so long at most
local function specs(name, kind, command, where, check, seconds)
  local p = runner.part{name = name, busted = true, check = check}
  if TAGS[kind] then command = command .. " --exclude-tags=" .. TAGS[kind] end
  for path in io.popen(("find %s -name '*_spec.lua' | LC_ALL=C sort"):format(where)):lines() do
    if fits(path, kind) then runner.add(p, name .. ": " .. path, command .. " " .. path, seconds or 400) end
  end
end

-- Builds at once, with all CPUs, and says whether it did.
local function make(name, arguments, goals)
  -- a make of its own: what the calling make hands down (-j, -n) is not for this one
  local p = runner.part{name = name}
  runner.add(p, name, "env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory -j$(nproc) " .. arguments
    .. " " .. (goals or "all"), 300)
  runner.run(true)
  return p.failed == 0
end

-- what is made for a sanitizer: its folder, or nothing
local function sanitizer(kind, goals)
  local name, flags = table.unpack(TOOLS[kind])
  local folder = "build/" .. name
  local built = make(name .. " build", ("BUILD=%s SAN=%s CFLAGS='-O1 -g'"):format(folder, flags),
    goals:gsub("BUILD", folder))
  return built and folder
end

local function host_specs()
  local host = ("%s/%s/ipclua"):format(cwd, build)
  specs("specs under ipclua", "host", ("IPCLUA=%s %s %s"):format(host, host, busted), spec)
end

local function stock_specs()
  specs("specs under " .. stock, "stock", ("IPCLUA=%s/%s/ipclua LUA_CPATH='%s/%s/?.so;;' %s %s")
    :format(cwd, build, cwd, build, stock, busted), spec)
end

-- TSan's shadow memory wants the addresses where it expects them; a container may forbid to say so.
local function steady(kind)
  return kind == "thread" and os.execute("setarch -R true 2>/dev/null") and "setarch -R " or ""
end

-- A process that a spec started reports into a file of its own; under strace LSan can only give up, and in a forked
-- child that calls exit() it misses its parent's threads. Of a thread that ends while it looks it says so, and goes on.
local function reports(logs)
  return function(p)
    local found = io.popen(("grep -lv 'False leaks are possible' %s.* 2>/dev/null | "
      .. "xargs -r grep -L 'does not work under ptrace'"):format(logs)):read("a")
    if found == "" then return end
    local text = io.popen("cat " .. found:gsub("\n", " ")):read("a")
    text = text:gsub("==%d+==Unable to get registers from thread %d+%.\n", "")
    if text == "" then return end
    print(text)
    runner.fail(p, "the sanitizer reports the above", text:sub(1, 4000))
  end
end

local function sanitized(kind, folder, where)
  local host, logs = ("%s/%s/ipclua"):format(cwd, folder), ("%s/%s/log"):format(cwd, folder)
  os.execute(("rm -f %s.*"):format(logs))
  local common = ("log_path=%s:exitcode=99"):format(logs)
  local options = kind == "thread" and ("TSAN_OPTIONS=%s:die_after_fork=0"):format(common)
    or ("ASAN_OPTIONS=%s:detect_leaks=1 UBSAN_OPTIONS=%s:print_stacktrace=1:halt_on_error=1"):format(common, common)
  specs("specs under " .. TOOLS[kind][1], kind, ("IPC_SANITIZE=%s IPCLUA=%s %s %s%s %s")
    :format(kind, host, options, steady(kind), host, busted), where, reports(logs))
end

local function lint()
  part("luacheck", "luacheck -q --no-color .")
  -- another version would format otherwise
  if os.execute("clang-format --version 2>/dev/null | grep -q 'version 14'") then
    part("format", "find runtime bindings spec scripts -name '*.[ch]' | "
      .. "xargs clang-format --style=file --dry-run -Werror")
  end
  part("names", ("%s/ipclua scripts/tools/lint.lua"):format(build))
  part("floors", ("%s scripts/tools/floors.lua . %s"):format(stock, build))
  part("tree", stock .. " scripts/tools/tree.lua")
end

-- the allocator fails, here or there
local function sweep(folder, places)
  part("out of memory", ("%s scripts/tools/oom.lua %s/ipclua-oom %s"):format(stock, folder, places),
    places == "" and 36000 or 300)
end

-- a process dies at every store into shared memory
local function points(folder)
  local program = ("%s/%s/ipclua-points"):format(cwd, folder)
  specs("specs of kill points", "points", ("IPCLUA=%s %s %s"):format(program, program, busted), "spec/engines/points")
end

-- the same at every store, write and sync of a folder on a disk, of which the host's specs try some
local function disk_points()
  specs("specs of kill points on a disk", "host", ("ROUNDS=1000 IPCLUA=%s/%s/ipclua %s/%s/ipclua %s"):format(cwd, build,
    cwd, build, busted), "spec/engines/disk*_points_spec.lua", nil, 1800)
end

-- every target of spec/fuzz for some seconds: by spec/fuzz/driver.c, or by libFuzzer
local function fuzz(folder, seconds, clang)
  for path in io.popen("LC_ALL=C ls spec/fuzz/*.c"):lines() do
    local name = path:match("([^/]+)%.c$")
    local arguments = not clang and seconds
      or ("-max_total_time=%d -max_len=4096 -timeout=10 corpus-%s"):format(seconds, name)
    if name ~= "driver" then
      local command = "cd FOLDER && mkdir -p corpus-NAME && if UBSAN_OPTIONS=halt_on_error=1 ./fuzz-NAME %s "
        .. ">log-NAME 2>&1; then tail -n 1 log-NAME; else cat log-NAME; false; fi"
      part("fuzz " .. name, command:gsub("NAME", name):gsub("FOLDER", folder):format(arguments), seconds + 60)
    end
  end
end

-- records on a disk are damaged while they are in use
local function fuzz_disk(folder, seconds)
  part("fuzz disk, damaged records", ("UBSAN_OPTIONS=halt_on_error=1 IPC_SANITIZE=address %s/ipclua "
    .. "spec/fuzz/disk.lua %d"):format(folder, seconds), seconds + 60)
end

-- random programs beside books of what must hold, so many on each engine
local function model(kind, folder, seeds)
  local under = TOOLS[kind] and ", " .. TOOLS[kind][1] or ""
  local command = ("UBSAN_OPTIONS=halt_on_error=1 %s spec/model/run.lua '%s%s/ipclua'"):format(stock, steady(kind),
    folder)
  for _, engine in ipairs{"private", "shm", "sysv"} do
    part(("model, %s%s"):format(engine, under), ("%s %s %d"):format(command, engine, seeds), 300)
  end
end

-- every test of spec/c, in programs of C
local function c_tests(kind, folder)
  for path in io.popen("LC_ALL=C ls spec/c/*_test.c"):lines() do
    local name = path:match("([^/]+)_test%.c$")
    part(("C test of %s under %s"):format(name, TOOLS[kind][1]),
      ("[ \"$(UBSAN_OPTIONS=halt_on_error=1 %s./%s/c-%s)\" = ok ]"):format(steady(kind), folder, name), 240)
  end
end

-- the warnings of the other compiler, where it is
local function other_compiler()
  if os.execute("command -v clang >/dev/null") then
    part("clang", "env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory BUILD=build/clang CC=clang "
      .. "CFLAGS=-O0 WERROR=1 all")
  else
    runner.part{name = "clang"}.pending = 1
  end
end

local suites = {}

-- Of each sanitizer one build, for all that is made with it.
function suites.test()
  if not make("build", "WERROR=1") then return end
  local asan = sanitizer("address", "all BUILD/ipclua-oom ctests fuzzers")
  local tsan = sanitizer("thread", "all BUILD/ipclua-points ctests")
  lint()
  other_compiler()
  host_specs()
  stock_specs()
  model("host", build, 3000)
  if asan then
    sanitized("address", asan, spec)
    model("address", asan, 200)
    c_tests("address", asan)
    sweep(asan, 20)
    fuzz(asan, 4)
    fuzz_disk(asan, 3)
  end
  if tsan then
    sanitized("thread", tsan, spec == "spec" and "spec/runtime" or spec)
    c_tests("thread", tsan)
    points(tsan)
  end
  part("rock", "scripts/tools/rock")
  runner.run()
end

function suites.sanitize()
  for kind in pairs(TOOLS) do
    local folder = sanitizer(kind, "all")
    if folder then
      sanitized(kind, folder, spec)
      model(kind, folder, 500)
    end
  end
  runner.run()
end

function suites.lint()
  lint()
  runner.run()
end

function suites.sweep()
  local folder = sanitizer("address", "BUILD/ipclua-oom")
  if folder then sweep(folder, "") end
  runner.run()
end

function suites.points()
  local folder = sanitizer("thread", "BUILD/ipclua-points")
  if folder then points(folder) end
  if make("build", "") then disk_points() end
  runner.run()
end

-- by libFuzzer, if clang has it
function suites.fuzz()
  local clang = os.execute("echo 'int LLVMFuzzerTestOneInput(const char *p, long n) { return !p || n < 0; }' | "
    .. "clang -fsanitize=fuzzer -xc - -o /dev/null 2>/dev/null")
  local settings = clang and "CC=clang SAN=address,undefined,fuzzer-no-link" or "SAN=address,undefined"
  if make("fuzz build", "BUILD=build/fuzz CFLAGS='-O1 -g' " .. settings, "fuzzers all") then
    fuzz("build/fuzz", tonumber(os.getenv("FUZZ_SECONDS")) or 20, clang)
    part("fuzz redis, a hostile server", ("UBSAN_OPTIONS=halt_on_error=1 IPC_SANITIZE=address build/fuzz/ipclua "
      .. "spec/fuzz/redis.lua %s"):format(os.getenv("FUZZ_CONNECTIONS") or 3000), 600)
    fuzz_disk("build/fuzz", tonumber(os.getenv("FUZZ_SECONDS")) or 20)
  end
  runner.run()
end

local suite = suites[arg[1]]
if not suite then error("usage: suite.lua test|sanitize|lint|sweep|points|fuzz") end
suite()

local passed, failed = runner.summary()
local total = ("%d passed, %d failed"):format(passed, failed)
-- for .ci/run, which says it once more below what make has to say about a failure
local file = io.open("build/total", "w")
if file then
  file:write(total, "\n")
  file:close()
end
print(total)
os.exit(failed == 0 and passed > 0)
