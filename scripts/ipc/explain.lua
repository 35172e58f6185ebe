-- SPDX-License-Identifier: MIT
-- ipc.explain(): why things wait. The boards of all processes of this user are read twice; what has not changed between
-- is judged (wait_graph.lua), and told in plain words.

local ipc, core = ...

local board, wait_graph = core.script "ipc.board", core.script "ipc.wait_graph"
local explain = {}

local open, stderr = io.open, io.stderr
-- seconds: from one reading to the next; that a process runs without a wait; that a lock is waited for
local BETWEEN <const>, BUSY <const>, LONG <const> = 0.05, 1, 0.2
local READER <const> = "ipc.explain" -- name of a task
local LINKS <const> = 8 -- of a chain of holders that are told

-- The holders as the engines know them: of what tasks wait for, where an object can be looked at without a server.
local function known_holders(processes)
  local holders = {}
  local function look(case)
    local object = case.object
    if not object or holders[object] or not case.key:find "^shm:" and not case.key:find "^file:" then return end
    if case.call ~= "mutex acquire" then return end
    local ok, m = pcall(ipc.mutex, case.key, {create = false})
    if not ok or not m then return end
    local pid = m:holder()
    m:close()
    holders[object] = math.type(pid) == "integer" and {pid} or nil
  end
  for _, process in ipairs(processes) do
    for _, wait in ipairs(process.waits) do
      for _, case in ipairs(wait.cases or {wait}) do look(case) end
    end
  end
  return holders
end

-- The same of file locks, by the inode: in /proc/locks, with the processes of other programs.
local function add_file_locks(processes, holders)
  local file, by_inode = open "/proc/locks", {}
  for line in file and file:lines() or function() end do
    local pid, inode = line:match "^%d+: FLOCK +%S+ +%S+ +(%d+) %x+:%x+:(%d+)"
    if pid then
      by_inode[tonumber(inode)] = by_inode[tonumber(inode)] or {}
      table.insert(by_inode[tonumber(inode)], tonumber(pid))
    end
  end
  if file then file:close() end
  for _, process in ipairs(processes) do
    for _, wait in ipairs(process.waits) do
      for _, case in ipairs(wait.cases or {wait}) do
        if case.call == "file lock acquire" and case.object then holders[case.object] = by_inode[case.other] end
      end
    end
  end
end

local function read_twice()
  local before = {}
  for _, process in ipairs(board.all()) do
    for _, wait in ipairs(process.waits) do
      before[wait_graph.name{pid = process.pid, process = process, wait = wait}] = wait.sequence
    end
  end
  ipc.sleep(BETWEEN)
  local processes = board.all()
  local holders = known_holders(processes)
  add_file_locks(processes, holders)
  return {now = ipc.now(), processes = processes, holders = holders, openers = {}, before = before}
end

-- Everything that can be known now. *Waits* a moment between two readings. A task reads, so that the caller is on the
-- board with what it holds.
function explain.system()
  local reader <close> = ipc.task{name = READER, read_twice}
  local ok, system = reader:join()
  if not ok then core.raise(system) end
  return system
end

-- Words -----------------------------------------------------------------------------------------------------

local SHOWN <const> = 200 -- bytes of a name or a command

-- As it can be shown on a terminal, whatever wrote it.
local function plain(text)
  if #text > SHOWN then text = text:sub(1, SHOWN) .. "..." end
  return (text:gsub("%c", "?"))
end

local function task_text(task, name)
  if task == 0 then return "main chunk" end
  return ("task %d%s"):format(task, name and (" '%s'"):format(plain(name)) or "")
end

local function process_text(pid, process)
  local command = process and process.command
  if not command then
    local file = open(("/proc/%d/cmdline"):format(pid))
    command = file and file:read("a"):gsub("%z+$", ""):gsub("%z", " ") or ""
    if file then file:close() end
  end
  return ("pid %d%s"):format(pid, command ~= "" and (" (%s)"):format(plain(command)) or "")
end

local function who(node)
  local where = node.wait.where and ", " .. plain(node.wait.where) or ""
  return ("%s, %s%s"):format(process_text(node.pid, node.process), task_text(node.wait.task, node.wait.name), where)
end

local function call_text(case)
  local text = case.key ~= "" and ("%s of %s"):format(case.call, plain(case.key)) or case.call
  if case.call == "task join" then return ("%s of task %d"):format(case.call, case.other or 0) end
  if case.call == "process wait" then return ("%s for pid %d"):format(case.call, case.other or 0) end
  return text
end

-- It is in ipc.explain itself.
local function asks(node)
  for _, r in ipairs(node.process.runs) do
    if r.name == READER and node.wait.call == "task join" and node.wait.other == r.task then return true end
  end
  return false
end

local function waits_text(node, now)
  local calls = {}
  if asks(node) then return "asks for this" end
  for i, case in ipairs(node.cases) do calls[i] = call_text(case) end
  return ("waits %.1f s: %s"):format(math.max(0, now - node.wait.since), table.concat(calls, " or "))
end

local function member(node)
  local w = node.wait
  return {
    pid = node.pid, task = w.task, name = w.name, where = w.where, call = w.call, key = w.key, since = w.since,
  }
end

local function members(nodes)
  local list = {}
  for i, node in ipairs(nodes) do list[i] = member(node) end
  return list
end

local function ring_finding(ring, now)
  local lines = {#ring == 1 and "waits for itself:" or ("ring of %d, each waits for the next:"):format(#ring)}
  for _, node in ipairs(ring) do lines[#lines + 1] = ("  %s, %s"):format(who(node), waits_text(node, now)) end
  if #ring > 1 then lines[#lines + 1] = ("  and so on: %s"):format(who(ring[1])) end
  return {kind = "ring", text = table.concat(lines, "\n"), members = members(ring)}
end

-- Why a node that is in no ring is stuck.
local function reason(node, known)
  for _, enders in ipairs(node.enders) do
    for _, ender in ipairs(enders) do
      local process = known.processes[ender.pid]
      if process and process.stopped then
        return "unending", ("held by %s, which is stopped"):format(process_text(ender.pid, process.board))
      end
      if ender.node then return "behind", ("it waits for %s, which waits itself"):format(who(ender.node)) end
    end
  end
  return "unending", "no other process has it open"
end

local function other_finding(node, known, now)
  local kind, why = reason(node, known)
  return {
    kind = kind, text = ("%s, %s; %s"):format(who(node), waits_text(node, now), why), members = members{node},
  }
end

-- Who has what a task waits for, and what that one waits for in turn.
local function chain_text(node, known, now)
  local parts, seen = {("%s, %s"):format(who(node), waits_text(node, now))}, {}
  while node and not seen[node] and #parts < LINKS do
    seen[node] = true
    local holder = node.enders[1] and node.enders[1][1]
    if not holder or not node.cases[1].call:find " acquire$" then break end
    local other = holder.node
    local process = known.processes[holder.pid]
    local what = other and ("%s, %s"):format(who(other), waits_text(other, now)) or
      process_text(holder.pid, process and process.board)
    local stopped = process and process.stopped and ", which is stopped" or ""
    parts[#parts + 1] = ("  held by %s%s"):format(what, stopped)
    node = other
  end
  return #parts > 1 and table.concat(parts, "\n") or nil
end

-- Locks that are waited for, and may be had one day.
local function add_held(findings, list, known, system)
  local stuck = {}
  for _, node in ipairs(list) do stuck[node] = true end
  for _, node in ipairs(known.nodes) do
    local w = node.wait
    local steady = not system.before or system.before[wait_graph.name(node)] == w.sequence
    local long = not stuck[node] and #node.cases == 1 and steady and system.now - w.since >= LONG
    local text = long and chain_text(node, known, system.now)
    if text then findings[#findings + 1] = {kind = "held", text = text, members = members{node}} end
  end
end

local function busy_finding(process, now)
  local busy = process.turned and process.state ~= "T" and now - process.turned or 0
  if busy <= BUSY then return nil end
  local tasks = {}
  for i, r in ipairs(process.runs) do
    tasks[i] = ("%s, which waited last at %s"):format(task_text(r.task, r.name), r.where or "?")
  end
  return {
    kind = "busy", members = {{pid = process.pid}}, since = process.turned,
    text = ("%s has not waited for %.1f s%s%s"):format(process_text(process.pid, process), busy,
      #tasks > 0 and ": " or "", table.concat(tasks, "; or ")),
  }
end

-- The findings of a system, as explain.system returns it: a list of {kind, text, members}.
function explain.findings(system)
  local findings = {}
  local list, known = wait_graph.stuck(system)
  local rings, others = wait_graph.rings(list, known)
  for _, ring in ipairs(rings) do findings[#findings + 1] = ring_finding(ring, system.now) end
  for _, node in ipairs(others) do
    if not known.processes[node.pid].stopped then findings[#findings + 1] = other_finding(node, known, system.now) end
  end
  add_held(findings, list, known, system)
  for _, process in ipairs(system.processes) do findings[#findings + 1] = busy_finding(process, system.now) end
  return findings
end

local function task_line(t, known, now)
  local node = known.processes[ipc.pid()] and known.processes[ipc.pid()][t.id]
  local what = node and waits_text(node, now) or t.status
  return ("  %s, %s, %s"):format(task_text(t.id, t.name), plain(t.where), what)
end

local function report()
  local own, tasks, now = tonumber(tostring(ipc.current()):match("%d+")), ipc.tasks(), ipc.now()
  local _, known = wait_graph.stuck{processes = board.all(), holders = {}, openers = {}}
  local main = known.processes[ipc.pid()] and known.processes[ipc.pid()][0]
  local lines = {("ipc: pid %d, tasks: %d"):format(ipc.pid(), #tasks - 1)}
  if main then lines[2] = ("  main chunk, %s, %s"):format(main.wait.where or "?", waits_text(main, now)) end
  for _, t in ipairs(tasks) do if t.id ~= own then lines[#lines + 1] = task_line(t, known, now) end end
  stderr:write(table.concat(lines, "\n"), "\n")
  for _, finding in ipairs(explain.explain()) do stderr:write("ipc: ", finding.text, "\n") end
end

-- What SIGQUIT prints: the tasks of this process, at once; then the findings, as soon as it waits. A program that has
-- put functions of its own into the module does not fail by it.
function explain.report() pcall(report) end

function explain.explain() return explain.findings(explain.system()) end

return explain
