-- SPDX-License-Identifier: MIT
-- What waits for what: which tasks no other can wake any more, given the boards of their processes. Nothing here asks
-- the system.
--
-- A wait is over as soon as one of its cases is; a case, as soon as one of its enders acts: the tasks that hold a lock,
-- the task that is joined, the processes that have a queue open. What is not known to be complete may be ended by
-- something else, and so may a wait with a deadline. What is left when all that can go on have gone on, is stuck.

local wait_graph = {}

-- A process that runs can do anything; so can one with timers.
local function is_idle(process)
  return not process.turned and process.torn == 0 and #process.runs == 0 and process.timers == 0
end

local function is_stopped(process) return process and (process.state == "T" or process.state == "t") end

-- What is known of the processes, by pid, by task, and by object.
local function index(system)
  local known = {processes = {}, nodes = {}, holding = {}, bounded = {}}
  for _, process in ipairs(system.processes) do
    local p = {board = process, nodes = {}, idle = is_idle(process), stopped = is_stopped(process)}
    known.processes[process.pid] = p
    for _, wait in ipairs(process.waits) do
      local node = {pid = process.pid, process = process, wait = wait, cases = wait.cases or {wait}}
      known.nodes[#known.nodes + 1] = node
      p.nodes[#p.nodes + 1], p[wait.task] = node, node
      for _, hold in ipairs(wait.holds) do
        if hold.object then
          known.holding[hold.object] = known.holding[hold.object] or {}
          table.insert(known.holding[hold.object], node)
        end
      end
    end
  end
  -- one that is joined for a limited time is cancelled, or left, by the task that joins it
  for _, node in ipairs(known.nodes) do
    if node.wait.deadline and node.wait.call == "task join" and node.wait.other then
      known.bounded[node.pid .. ":" .. node.wait.other] = true
    end
  end
  return known
end

-- The tasks and processes that hold it; nil: there may be others.
local function holders(system, known, case)
  local enders, pids, listed = {}, {}, system.holders[case.object]
  for _, node in ipairs(known.holding[case.object] or {}) do
    enders[#enders + 1], pids[node.pid] = {node = node, pid = node.pid}, true
  end
  for _, pid in ipairs(listed or {}) do
    if not pids[pid] then enders[#enders + 1] = {pid = pid, holds = true} end
  end
  if #enders == 0 then return nil end
  if case.call:find "^semaphore" and not listed and #enders < (case.other or math.huge) then return nil end
  return enders
end

local function each_process(pids)
  if not pids then return nil end
  local enders = {}
  for i, pid in ipairs(pids) do enders[i] = {pid = pid} end
  return enders
end

-- What can end the case: a list of {node} and {pid}; nil: that is not known.
local function enders_of(system, known, node, case)
  local noun, method = case.call:match "^(.*) (%S+)$"
  if method == "acquire" then return case.object and holders(system, known, case) end
  if case.call == "task join" or case.call == "task close" then
    local joined = known.processes[node.pid][case.other]
    return joined and {{node = joined, pid = node.pid}}
  end
  if case.call == "process wait" then return case.other and {{pid = case.other}} end
  if noun == "queue" and case.object then return each_process(system.openers[case.object]) end
  return nil
end

-- Nothing but others can end it.
local function may_be_stuck(system, known, node)
  local wait = node.wait
  if wait.deadline or wait.more or known.bounded[node.pid .. ":" .. wait.task] then return false end
  return not system.before or system.before[wait_graph.name(node)] == wait.sequence
end

local function is_stuck(known, stuck, ender)
  local process = known.processes[ender.pid]
  if ender.node then return stuck[ender.node] or process.stopped end
  if not process then return false end
  if process.stopped then return true end
  if ender.holds or not process.idle or #process.nodes == 0 then return false end
  for _, node in ipairs(process.nodes) do if not stuck[node] then return false end end
  return true
end

local function goes_on(known, stuck, node)
  for _, enders in ipairs(node.enders) do
    if not enders then return true end
    for _, ender in ipairs(enders) do if not is_stuck(known, stuck, ender) then return true end end
  end
  return false
end

-- Of a task that waits, the same in every reading.
function wait_graph.name(node)
  return ("%d.%d.%d"):format(node.pid, node.process.start or 0, node.wait.task)
end

-- system: {processes = boards, holders = {[object] = pids}, openers = {[object] = pids}, before = sequences by name}.
-- The lists of pids are complete; what is not there is not known. → the list of what is stuck: nodes {pid, process,
-- wait, cases, enders}, where `enders` has a list of {node} or {pid} for each case.
function wait_graph.stuck(system)
  local known, stuck = index(system), {}
  for _, node in ipairs(known.nodes) do
    node.enders = {}
    for i, case in ipairs(node.cases) do node.enders[i] = enders_of(system, known, node, case) or false end
    stuck[node] = may_be_stuck(system, known, node) or nil
  end
  local changed
  repeat
    changed = false
    for _, node in ipairs(known.nodes) do
      if stuck[node] and goes_on(known, stuck, node) then stuck[node], changed = nil, true end
    end
  until not changed
  local list = {}
  for _, node in ipairs(known.nodes) do if stuck[node] then list[#list + 1] = node end end
  return list, known
end

-- The stuck tasks that a stuck one waits for.
local function successors(known, stuck, node)
  local list = {}
  for _, enders in ipairs(node.enders) do
    for _, ender in ipairs(enders) do
      local nodes = ender.node and {ender.node} or not ender.holds and (known.processes[ender.pid] or {}).nodes or {}
      for _, other in ipairs(nodes) do if stuck[other] then list[#list + 1] = other end end
    end
  end
  return list
end

-- The shortest way from a node back to itself; nil: there is none.
local function ring_of(next_of, start)
  local from, queue = {}, {start}
  for _, node in ipairs(queue) do
    for _, other in ipairs(next_of[node]) do
      if other == start then
        local ring = {node}
        while ring[1] ~= start do table.insert(ring, 1, from[ring[1]]) end
        return ring
      end
      if not from[other] then
        from[other] = node
        queue[#queue + 1] = other
      end
    end
  end
  return nil
end

-- Of what wait_graph.stuck returns: rings, each a list of nodes of which each waits for the next, and the last for the
-- first; and the nodes that are in none. No node is in two rings.
function wait_graph.rings(list, known)
  local stuck, next_of, told, rings, others = {}, {}, {}, {}, {}
  for _, node in ipairs(list) do stuck[node] = true end
  for _, node in ipairs(list) do next_of[node] = successors(known, stuck, node) end
  for _, node in ipairs(list) do
    local ring = not told[node] and ring_of(next_of, node)
    local new = ring
    for _, member in ipairs(ring or {}) do new = new and not told[member] end
    if new then
      rings[#rings + 1] = ring
      for _, member in ipairs(ring) do told[member] = true end
    end
  end
  for _, node in ipairs(list) do if not told[node] then others[#others + 1] = node end end
  return rings, others
end

return wait_graph
