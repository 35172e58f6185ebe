-- SPDX-License-Identifier: MIT
-- Runs every scenario of spec/support/oom under a host whose allocator fails at the n-th call, for each n
-- or for a number of points spread evenly: `lua5.4 oom.lua build/asan/ipclua-oom [points]`. A scenario is a small
-- script that must end in success, or with a Lua error that is said and status 1: never with a signal, a
-- hang, a leak or silence. The host is built with ASan, which looks for the leaks.

local host = assert(arg[1], "usage: oom.lua HOST [points]")
local points = tonumber(arg[2])
local lanes = tonumber(io.popen("nproc"):read("l")) or 1
-- 1: one failure, for C code; 3: Lua collects garbage and tries again; 0: nothing is given any more
local WIDTHS = {1, 3, 0}
local report = os.tmpname()
local DONE = "@@ ended "

-- for the scenarios with a Redis server; it ends when no process has the pipe to it any more
local socket = os.tmpname()
os.remove(socket)
local server = os.execute("command -v redis-server >/dev/null") and io.popen(([[
  redis-server --port 0 --unixsocket %s --save "" --logfile /dev/null >/dev/null 2>&1 &
  cat >/dev/null; kill $!]]):format(socket), "w")
if server then
  os.execute(("timeout 20 sh -c 'until redis-cli -s %s ping >/dev/null 2>&1; do sleep 0.02; done'"):format(socket))
end
local redis = server and "IPC_REDIS=" .. socket or "-u IPC_REDIS"

-- Of each lane: a file for the keys of a scenario, which may end before it could remove what it has made.
local files = {}
for lane = 1, lanes do files[lane] = os.tmpname() end

local function clean(file)
  local device, inode = io.popen("stat -c '%d %i' " .. file):read("n", "n") -- as ftok(3)
  local key = (device & 0xff) << 16 | inode & 0xffff
  os.execute(("ipcrm -M 0x%x 2>/dev/null; rm -f %s /dev/shm/ipclua.memory.oom.%s"):format(key, file,
    file:match("%w+$")))
end

local function start(script, at, width, lane)
  local command = "env %s IPC_OOM_FILE=%s IPC_OOM_AT=%d IPC_OOM_WIDTH=%d ASAN_OPTIONS=exitcode=99 "
    .. "UBSAN_OPTIONS=halt_on_error=1 timeout -k 1 20 %s %s </dev/null 2>&1; printf '\\n%s%%d' $?"
  return io.popen(command:format(redis, files[lane], at, width, host, script, DONE))
end

-- Leaks of modules that are not ours: lua_close has unloaded them, so their frames have no names, and the sanitizer
-- gives them to no module, or to the one that lies below. lua-cjson loses its buffers when Lua runs out of memory
-- under it.
local function foreign_leak(text)
  if not text:find("LeakSanitizer", 1, true) or text:find("runtime error:", 1, true) then return false end
  for leak in (text .. "\n\n"):gmatch("%a+ leak of.-\n%s*\n") do
    if not leak:find("#1 0x%x+  %([^\n]*%)") then return false end
  end
  return true
end

local function verdict(output)
  local text, status = output:match("^(.*)\n" .. DONE .. "(%d+)$")
  status = tonumber(status)
  if not status then return "no status", output end
  if foreign_leak(text) then return end
  if text:find("Sanitizer", 1, true) or text:find("runtime error:", 1, true) then return "sanitizer", text end
  if status == 124 or status == 137 then return "hangs", text end
  if status ~= 0 and status ~= 1 then return "ends with status " .. status, text end
  if status == 1 and not text:find("%S") then return "fails without a word", text end
end

-- how many calls the script makes when none fails
local function calls(script)
  os.remove(report)
  os.execute(("env %s IPC_OOM_FILE=%s IPC_OOM_REPORT=%s %s %s </dev/null >/dev/null 2>&1"):format(redis, files[1],
    report, host, script))
  local file = io.open(report)
  local n = file and file:read("n")
  if file then file:close() end
  return n or error(script .. ": the host left no count of its allocations")
end

local runs, faults = 0, 0

local function sweep(name, script, first, last)
  local step = points and math.max(1, (last - first) // points) or 1
  for _, width in ipairs(WIDTHS) do
    local batch = {}
    local function finish()
      for _, entry in ipairs(batch) do
        local fault, text = verdict(entry.pipe:read("a"))
        entry.pipe:close()
        runs = runs + 1
        if fault then
          faults = faults + 1
          print(("%s: IPC_OOM_AT=%d IPC_OOM_WIDTH=%d: %s"):format(name, entry.at, width, fault))
          print((text:gsub("[^\n]+", "  | %0")))
        end
      end
      batch = {}
    end
    for at = first, last, step do
      batch[#batch + 1] = {at = at, pipe = start(script, at, width, #batch + 1)}
      if #batch == lanes then finish() end
    end
    finish()
  end
end

local empty = os.tmpname()
local base = calls(empty)
sweep("start", empty, 1, base)
for script in io.popen("LC_ALL=C ls spec/support/oom/*.lua"):lines() do
  local total = calls(script)
  -- what comes before the script is the same for all, and was swept above
  sweep(script, script, math.max(1, base - 20), total)
  print(("%s: %d allocations"):format(script, total - base))
end
os.remove(empty)
os.remove(report)
for _, file in ipairs(files) do clean(file) end
if server then server:close() end
os.remove(socket)
print(("out of memory: %d runs, %d faults"):format(runs, faults))
os.exit(runs > 0 and faults == 0)
