-- SPDX-License-Identifier: MIT
-- ipctl doctor: what could be in the way of programs here, each in a line: ok, warning or error, and what to do.

local json = require "ipctl.json"
local listing = require "ipctl.listing"
local out = require "ipctl.out"
local program = require "ipctl.program"
local server = require "ipctl.server"
local system = require "ipctl.system"

local doctor = {}

local NEAR <const>, FULL <const> = 0.8, 0.97
local SYSTEM_USERS <const> = 1000

local function read(path)
  local file = io.open(path)
  local text = file and file:read("a")
  if file then file:close() end
  return text
end

-- How full something is that has a limit.
local function fill(add, about, used, limit, what, advice)
  local share = limit > 0 and used / limit or 1
  local level = share >= FULL and "error" or share >= NEAR and "warning" or "ok"
  add(level, about, what, level ~= "ok" and advice or nil)
end

-- Of what is in a file of /proc/sys/kernel: its n-th number.
local function setting(name, n)
  local text = read("/proc/sys/kernel/" .. name) or ""
  for number in text:gmatch("%d+") do
    n = (n or 1) - 1
    if n == 0 then return tonumber(number) end
  end
end

local function count(objects, engine, ...)
  local n, nouns = 0, {...}
  for _, object in ipairs(objects) do
    for _, noun in ipairs(nouns) do
      if object.engine == engine and object.noun == noun then n = n + 1 end
    end
  end
  return n
end

local function check_system_v(add, objects)
  local limits <const> = {
    {"queues", setting "msgmni", count(objects, "sysv", "queue"), "kernel.msgmni"},
    {"segments of memory", setting "shmmni", count(objects, "sysv", "shared_memory"), "kernel.shmmni"},
    {"semaphore sets", setting("sem", 4), count(objects, "sysv", "mutex", "semaphore"), "kernel.sem (its 4th number)"},
  }
  for _, limit in ipairs(limits) do
    local name, most, used, where = table.unpack(limit)
    if not most then
      add("error", "System V", "there are no " .. name, "use shm keys: this kernel was built without System V IPC")
    else
      fill(add, "System V", used, most, ("%d of %d %s"):format(used, most, name),
        ("raise %s by sysctl, or remove some (ipctl ls --all, ipctl rm)"):format(where))
    end
  end
  local steps, members = setting("sem", 3), setting("sem", 1)
  if steps and (steps < 3 or members < 5) then
    add("error", "System V", ("a set has at most %d semaphores, and %d steps at once"):format(members, steps),
      "raise the 1st and 3rd number of kernel.sem to 5 and 3 at least: locks of file keys need them")
  end
  local bytes, message = setting "msgmnb", setting "msgmax"
  if bytes and message then
    add("ok", "System V", ("a queue has %s by default, and a message at most %s (kernel.msgmnb, kernel.msgmax)")
      :format(out.bytes(bytes), out.bytes(math.min(message, bytes))))
  end
end

local function check_space(add)
  local text = program.output{"df", "-P", "-k", "/dev/shm"}
  local size, used = (text or ""):match("\n%S+%s+(%d+)%s+(%d+)")
  if not size then
    add("error", "/dev/shm", "it is not there", "mount a tmpfs there: shm keys and shared data live in it")
    return
  end
  fill(add, "/dev/shm", tonumber(used), tonumber(size),
    ("%s of %s used"):format(out.bytes(used * 1024), out.bytes(size * 1024)),
    "see ipctl ls for what is large; make it larger (mount -o remount,size=, docker --shm-size)")
end

-- Of logind: the last word counts. Users of the system are left alone.
local function check_logind(add)
  local uid = tonumber((read("/proc/self/status") or ""):match("\nUid:%s+%d+%s+(%d+)")) or 0
  if not io.open("/run/systemd/system") or uid < SYSTEM_USERS then
    add("ok", "RemoveIPC", "objects stay when the last session of this user ends")
    return
  end
  local word = "yes"
  local files = program.output{"sh", "-c", "cat /etc/systemd/logind.conf /etc/systemd/logind.conf.d/*.conf 2>/dev/null"}
  for value in ("\n" .. (files or "")):gmatch("\n%s*RemoveIPC%s*=%s*(%w+)") do word = value:lower() end
  if word == "no" or word == "false" or word == "off" or word == "0" then
    add("ok", "RemoveIPC", "logind leaves objects alone")
  else
    add("warning", "RemoveIPC", "logind removes this user's objects when the last session ends",
      "RemoveIPC=no in /etc/systemd/logind.conf, or loginctl enable-linger, or run services as a system user")
  end
end

local function link(path)
  local text = program.output{"readlink", path}
  return text and text:match("^[^\n]+")
end

local function check_namespaces(add, objects)
  if not read("/proc/self/stat") then
    add("error", "/proc", "it is not mounted", "mount it: processes are told apart by it")
    return
  end
  local foreign = 0
  for _, object in ipairs(objects) do
    if object.fault == "of another pid namespace" then foreign = foreign + 1 end
  end
  if foreign > 0 then
    add("warning", "pid namespace", ("%d objects in /dev/shm are of another one"):format(foreign),
      "containers that share /dev/shm have to share the pid namespace (docker --pid), or each has names of its own")
  else
    add("ok", "pid namespace", (link("/proc/self/ns/pid") or "not known") .. ", and all objects are of it")
  end
  local offsets = read("/proc/self/timens_offsets") or ""
  local moved = offsets:find("[1-9]") and offsets:find("monotonic%s+%-?[1-9]")
  add("ok", "time namespace", moved and "one of its own; processes are told apart all the same"
    or "that of the machine")
end

local function name_of(pid)
  return json.plain(((read(("/proc/%d/comm"):format(pid)) or "?"):gsub("\n", "")))
end

local function is_stopped(pid)
  local state = (read(("/proc/%d/stat"):format(pid)) or ""):match(".*%) (%a)")
  return state == "T" or state == "t"
end

-- A stopped process still has what it holds, and the others wait.
local function check_stopped(add, objects)
  local told, found = {}, false
  for _, object in ipairs(objects) do
    if object.holder and object.holder > 0 and is_stopped(object.holder) then
      found = true
      told[object.holder] = true
      add("error", object.noun .. " " .. object.key,
        ("its holder %d (%s) is stopped, and %d wait"):format(object.holder, name_of(object.holder),
          object.waiters or 0),
        ("kill -CONT %d, or kill it"):format(object.holder))
    end
  end
  for _, object in ipairs(objects) do
    for _, pid in ipairs(object.pids or {}) do
      if not told[pid] and is_stopped(pid) then
        found, told[pid] = true, true
        add("warning", object.noun .. " " .. object.key, ("process %d (%s) has it open and is stopped"):format(pid,
          name_of(pid)), ("it keeps what it has taken; kill -CONT %d goes on"):format(pid))
      end
    end
  end
  if not found then add("ok", "processes", "none that uses an object is stopped") end
end

local function check_objects(add, objects)
  local orphans, left, bytes = 0, 0, 0
  for _, object in ipairs(objects) do
    if object.fault == "damaged" then
      add("error", object.noun .. " " .. object.key, "it is damaged", "ipctl rm " .. object.key)
    elseif object.fault == "of another version" then
      add("warning", object.noun .. " " .. object.key, "it is of another version of ipc",
        "end the programs that use it, and then: ipctl rm " .. object.key)
    end
    if object.abandoned then
      add("warning", object.noun .. " " .. object.key, "its holder died, and no process has locked it since",
        "check what it protects; the next holder is told")
    end
    if object.orphan and not object.fault then
      if object.holds then left = left + 1 else orphans = orphans + 1 end
      bytes = bytes + object.size
    end
  end
  add("ok", "objects", ("%d; no process has %d of them open, %s"):format(#objects, orphans + left, out.bytes(bytes)),
    orphans > 0 and "ipctl rm --orphans removes those that hold nothing: " .. orphans or nil)
end

-- Reading them removes those of processes that have died.
local function check_boards(add)
  local core <const> = system.core()
  local before <const> = #core.boards()
  core.script("ipc.board").all()
  local after <const> = #core.boards()
  add("ok", "boards", ("%d processes say what they wait for; %d boards of dead ones were removed"):format(after,
    math.max(0, before - after)))
end

local function show(parsed, findings)
  local colour <const> = {ok = "green", warning = "yellow", error = "red"}
  for _, finding in ipairs(findings) do
    if parsed.json then
      out.line(json.encode(finding))
    else
      local advice = finding.advice and "; " .. finding.advice or ""
      out.line(out.colour(colour[finding.level], ("%-7s"):format(finding.level)) .. "  "
        .. json.plain(finding.about .. ": " .. finding.finding .. advice))
    end
  end
end

function doctor.run(parsed)
  local findings, failed = {}, false
  local function add(level, about, finding, advice)
    findings[#findings + 1] = {level = level, about = about, finding = finding, advice = advice}
    failed = failed or level == "error"
  end
  local objects = listing.all({}, true)
  check_space(add)
  check_system_v(add, objects)
  check_logind(add)
  check_namespaces(add, objects)
  check_stopped(add, objects)
  check_objects(add, objects)
  check_boards(add)
  for _, url in ipairs(parsed) do server.check(add, url) end
  show(parsed, findings)
  return failed and 1 or 0
end

return doctor
