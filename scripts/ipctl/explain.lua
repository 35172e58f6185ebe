-- SPDX-License-Identifier: MIT
-- ipctl explain, ps: why things wait, and what each task of each process waits for, as their boards tell.

local ipc = require "ipc"
local json = require "ipctl.json"
local out = require "ipctl.out"
local system = require "ipctl.system"

local explain = {}

local MOST <const> = 60 -- bytes of a command line in a table

-- Whether a finding is about a process or a key.
local function concerns(finding, what)
  for _, member in ipairs(finding.members) do
    if member.pid == tonumber(what) or member.key == what then return true end
  end
  return not what
end

function explain.run(parsed)
  local shown = 0
  for _, finding in ipairs(ipc.explain()) do
    if concerns(finding, parsed[1]) then
      shown = shown + 1
      finding.members.list = true
      if parsed.json then
        out.line(json.encode{kind = finding.kind, text = finding.text, members = finding.members})
      else
        for line in finding.text:gmatch("[^\n]+") do out.line(json.plain(line)) end
      end
    end
  end
  return shown > 0 and 0 or 1
end

-- "queue receive of shm:jobs"
local function call_text(case)
  return case.call .. (case.key ~= "" and " of " .. case.key or "")
end

local function wait_text(wait)
  if not wait.cases then return call_text(wait) end
  local calls = {}
  for i, case in ipairs(wait.cases) do calls[i] = call_text(case) end
  return table.concat(calls, " or ")
end

local function task_text(wait)
  if wait.task == 0 then return "main" end
  return wait.name and ("%d %s"):format(wait.task, wait.name) or tostring(wait.task)
end

local function state_text(process)
  return process.state == "T" and {"stopped", "red"} or process.state == "R" and "runs" or "sleeps"
end

local function add_rows(rows, process, now)
  local first <const> = #rows + 1
  for _, wait in ipairs(process.waits) do
    rows[#rows + 1] = {"", "", task_text(wait), out.age(now - wait.since), wait.where or "", wait_text(wait)}
  end
  for _, run in ipairs(process.runs) do
    rows[#rows + 1] = {"", "", task_text(run), "", run.where or "", {"runs", "green"}}
  end
  if not rows[first] then rows[first] = {"", "", "", "", "", ""} end
  local command <const> = json.plain(process.command)
  rows[first][1], rows[first][2] = process.pid, state_text(process)
  rows[first][7] = #command > MOST and command:sub(1, utf8.offset(command, 0, MOST) - 1) .. "..." or command
end

-- A wait, or a run, as JSON; times are seconds from now.
local function record(wait, now)
  local cases
  if wait.cases then
    cases = {list = true}
    for i, case in ipairs(wait.cases) do cases[i] = {call = case.call, key = case.key} end
  end
  local holds = {list = true}
  for i, hold in ipairs(wait.holds) do holds[i] = {call = hold.call, key = hold.key} end
  return {
    task = wait.task, name = wait.name, call = wait.call, key = wait.key, where = wait.where, cases = cases,
    holds = holds, seconds = now - wait.since, left = wait.deadline and wait.deadline - now,
  }
end

local function records(waits, now)
  local list = {list = true}
  for i, wait in ipairs(waits) do list[i] = record(wait, now) end
  return list
end

function explain.ps(parsed)
  local rows, now, own = {}, ipc.now(), ipc.pid()
  for _, process in ipairs(system.core().script("ipc.board").all()) do
    local wanted = not parsed[1] or tonumber(parsed[1]) == process.pid
    if process.pid ~= own and wanted and parsed.json then
      rows[#rows + 1] = {
        pid = process.pid, command = process.command, state = process.state, waits = records(process.waits, now),
        runs = records(process.runs, now),
      }
    elseif process.pid ~= own and wanted then
      add_rows(rows, process, now)
    end
  end
  if parsed.json then
    out.json(rows)
  elseif #rows > 0 then
    out.table({">pid", "state", "task", ">since", "where", "waits for", "command"}, rows)
  end
  return #rows > 0 and 0 or 1
end

return explain
