-- SPDX-License-Identifier: MIT
-- Runs the jobs of the suite's parts, several at a time, and adds up what they say. A part of specs has a job for
-- each file, and counts busted's tests: a process that has many specs behind it is large, and forks slowly. Any other
-- part is one job, and counts as one. A job that crashes, hangs, or is a busted that says nothing is a failure.

local runner = {parts = {}}

-- Specs wait more than they compute: there are more of them at a time than CPUs.
local CPUS <const> = tonumber(io.popen("nproc"):read("l")) or 1
local LANES <const> = tonumber(os.getenv("LANES")) or 3 * CPUS
local ENDED <const> = "^@@ ended with status (%d+) after (%d+)m([%d.]+)s%+(%d+)m([%d.]+)s of CPU: (.*)$"

local LITTER <const> = 98 -- what scripts/tools/job ends with where a job left something

local jobs = {}

-- Each of these, started late, would be alone at the end: the longest first.
local LONG <const> = {
  "mutex_death", "redis_job", "redis_lock_wait", "points/", "redis_queue", "out of memory", "race", "program_spec",
  "redis_data", "redis_lock_lost", "redis_lock_spec", "pages", "queue_many", "queue_traffic", "job_death",
  "disk_power_cut", "redis_lock_stop", "shared_data_traffic", "semaphore_death", "redis_machines", "host_spec",
  "shared_memory", "rock", "codec", "examples", "store_spec", "shared_data", "fuzz", "fork_spec",
}

local function rank(name)
  for i, part in ipairs(LONG) do
    if name:find(part, 1, true) then return i end
  end
  return #LONG + 1
end

-- fields: name; busted: whether its jobs are busted's; check: a function that looks at the part when all have ended
function runner.part(part)
  part.passed, part.failed, part.pending, part.cpu, part.whys, part.notes = 0, 0, 0, 0, {}, {}
  runner.parts[#runner.parts + 1] = part
  return part
end

function runner.add(part, name, command, seconds)
  jobs[#jobs + 1] = {
    part = part, name = name, command = command, seconds = seconds or 300, rank = rank(name), at = #jobs,
  }
end

function runner.fail(part, why, note)
  part.failed = part.failed + 1
  part.whys[#part.whys + 1] = why
  part.notes[#part.notes + 1] = note
end

local function why_of(status)
  if status == LITTER then return "left files or objects behind, three times" end
  if status == 124 or status == 137 then return "ran out of time, or was killed" end
  if status > 128 then return "died of signal " .. status - 128 end
  return "exit status " .. status
end

-- What busted says of the tests that failed, without the tracebacks: shown once more at the end.
local function failures(lines, notes)
  local note
  for _, line in ipairs(lines) do
    if line:find("^Failure %S+ ") or line:find("^Error %S+ ") then
      note = {line}
      notes[#notes + 1] = note
    elseif note and line ~= "stack traceback:" and #note < 12 then
      note[#note + 1] = line ~= "" and line or nil
    else
      note = nil
    end
  end
  for i, note_lines in ipairs(notes) do
    if type(note_lines) == "table" then notes[i] = table.concat(note_lines, "\n  ") end
  end
end

local function ended(job, status, lines)
  local part = job.part
  if not part.busted then
    if status == 0 then part.passed = part.passed + 1
    else runner.fail(part, why_of(status), table.concat(lines, "\n"):sub(-2000)) end
    return
  end
  local found
  for _, line in ipairs(lines) do
    local ok, bad, err, pending = line:match("^(%d+) success%a* / (%d+) failures? / (%d+) errors? / (%d+) pending")
    if ok then found = {passed = tonumber(ok), failed = bad + err, pending = tonumber(pending)} end
  end
  if not found then return runner.fail(part, job.name .. ": no summary: " .. why_of(status)) end
  for key, n in pairs(found) do part[key] = part[key] + n end
  if status ~= 0 and found.failed == 0 then
    runner.fail(part, job.name .. ": " .. why_of(status), table.concat(lines, "\n"):match("left behind:.*"))
  end
  failures(lines, part.notes)
end

-- Shows the output as it comes, and counts. What does not end in forty minutes is a failure, too.
local function run(list, lanes)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  local by_name = {}
  for _, job in ipairs(list) do
    by_name[job.name] = job
    file:write(("%s\t%d\t%s\n"):format(job.name, job.seconds, job.command))
  end
  file:close()
  local pipe = assert(io.popen(("timeout -k 5 2400 xargs -a %s -d '\\n' -P %d -n 1 scripts/tools/job </dev/null 2>&1; "
    .. "echo; echo '@@ all ended'"):format(path, lanes)))
  local lines = {}
  for line in pipe:lines() do
    if line == "@@ all ended" then break end -- a stray process may hold the pipe open
    local status, m1, s1, m2, s2, name = line:match(ENDED)
    local job = by_name[name]
    if job then
      job.part.cpu = job.part.cpu + (m1 + m2) * 60 + s1 + s2
      ended(job, math.tointeger(status), lines)
      by_name[name], lines = nil, {}
    else
      lines[#lines + 1] = line
      print(line)
      io.stdout:flush()
    end
  end
  pipe:close()
  os.remove(path)
  for name, job in pairs(by_name) do runner.fail(job.part, name .. ": did not end") end
end

-- Runs what was added: all at once, or one after the other.
function runner.run(one_by_one)
  table.sort(jobs, function(a, b)
    if a.rank ~= b.rank and not one_by_one then return a.rank < b.rank end
    return a.at < b.at
  end)
  local list = jobs
  jobs = {}
  run(list, one_by_one and 1 or LANES)
  for _, part in ipairs(runner.parts) do
    if part.check then part.check(part) end
    part.check = nil
    if part.busted and part.passed == 0 then runner.fail(part, "no test was run") end
  end
end

-- Says what came of it all; returns passed and failed.
function runner.summary()
  print("\n== summary")
  local passed, failed = 0, 0
  for _, part in ipairs(runner.parts) do
    passed, failed = passed + part.passed, failed + part.failed
    print(("%-24s %5d passed %4d failed %4d pending %7.1f s of CPU"):format(
      part.name, part.passed, part.failed, part.pending, part.cpu))
  end
  for _, part in ipairs(runner.parts) do
    if part.failed > 0 then
      print(("\n== failed: %s: %s"):format(part.name, table.concat(part.whys, "; ")))
      for _, note in ipairs(part.notes) do print(note) end
    end
  end
  return passed, failed
end

return runner
