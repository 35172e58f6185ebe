-- SPDX-License-Identifier: MIT
-- ipc.explain: what is stuck, and what is only slow. Random systems are judged by a program that plays them.

local ipc = require "ipc"
local processes = require "spec.support.processes"
local rounds = require "spec.support.rounds"
local waits = require "spec.support.waits"

local wait_graph = debug.getregistry()["ipc.core"].script "ipc.wait_graph"

-- The findings of a kind that have to do with one of the processes.
local function about(kind, ...)
  local list = {}
  for _, f in ipairs(ipc.explain()) do
    for _, m in ipairs(f.members) do
      for _, pid in ipairs{...} do
        if f.kind == kind and m.pid == pid and list[#list] ~= f then list[#list + 1] = f end
      end
    end
  end
  return list
end

local function await_about(kind, ...)
  local found
  local pids = {...}
  processes.await(function()
    found = about(kind, table.unpack(pids))
    return #found > 0
  end, "nothing was found")
  return found
end

-- Systems ---------------------------------------------------------------------------------------------------

local CALLS <const> = {"mutex acquire", "semaphore acquire", "queue receive", "task join"}

-- A system of up to 16 processes. Objects 1 to `locks` are mutexes, the next ones semaphores, then come queues.
local function random_system(random)
  local s = {processes = {}, holders = {}, openers = {}}
  local count, locks, sems, queues = random(2, 16), random(1, 6), random(0, 3), random(0, 3)
  local held, max = {}, {}
  for i = 1, sems do max[locks + i] = random(1, 3) end
  for i = 1, count do
    s.processes[i] = {
      pid = i, start = i, torn = 0, timers = 0, runs = {}, waits = {}, state = "S",
      turned = random(6) == 1 and 1 or nil,
    }
  end
  for i = 1, queues do
    local openers = {}
    for pid = 1, count do if random(3) == 1 then openers[#openers + 1] = pid end end
    s.openers[locks + sems + i] = openers
  end
  local function case(tasks)
    local call = CALLS[random(#CALLS)]
    if call == "semaphore acquire" and sems > 0 then
      local object = locks + random(sems)
      return {call = call, object = object, other = max[object]}
    elseif call == "queue receive" and queues > 0 then
      return {call = call, object = locks + sems + random(queues)}
    elseif call == "task join" then
      return {call = call, other = random(0, tasks - 1)}
    end
    return {call = "mutex acquire", object = random(locks)}
  end
  for _, p in ipairs(s.processes) do
    local tasks = random(1, 3)
    for task = 0, tasks - 1 do
      local w = case(tasks)
      w.task, w.holds, w.since, w.sequence = task, {}, 0, 2
      if random(4) == 1 then
        w.cases = {}
        for i = 1, random(1, 3) do w.cases[i] = case(tasks) end
      end
      w.deadline = random(8) == 1 and 1 or nil
      for _ = 1, random(0, 2) do
        local object = random(locks + sems)
        if (held[object] or 0) < (max[object] or 1) then
          held[object] = (held[object] or 0) + 1
          table.insert(w.holds, {call = "lock", object = object})
        end
      end
      if random(12) > 1 then table.insert(p.waits, w) else table.insert(p.runs, w) end
    end
  end
  return s
end

-- Plays the system to its end: a task that can go on ends, and gives back what it holds. Then the others look again.
-- What never ends is stuck. It knows nothing of graphs.
local function play(s)
  local alive, held, unknown = {}, {}, {}
  for _, p in ipairs(s.processes) do
    for _, w in ipairs(p.waits) do
      alive[w] = p
      for _, h in ipairs(w.holds) do held[h.object] = (held[h.object] or 0) + 1 end
    end
    if #p.runs > 0 or p.turned then unknown[p.pid] = true end
  end
  local first = {}
  for object, n in pairs(held) do first[object] = n end
  local ended = {}
  local function acts(pid) -- whether some task of the process can do something
    return unknown[pid] or ended[pid]
  end
  local function joined(w, p)
    for other in pairs(alive) do if alive[other] == p and other.task == w.other then return other end end
    return nil
  end
  local function ends(case, p)
    if case.call == "mutex acquire" then return (held[case.object] or 0) == 0 end
    if case.call == "semaphore acquire" then
      return (first[case.object] or 0) < case.other or held[case.object] < first[case.object]
    elseif case.call == "task join" then
      return not joined(case, p)
    end
    for _, pid in ipairs(s.openers[case.object]) do
      if acts(pid) or #s.processes[pid].waits == 0 then return true end
    end
    return false
  end
  local function bounded(w, p)
    for _, other in ipairs(p.waits) do
      if other.deadline and other.call == "task join" and other.other == w.task then return true end
    end
    return false
  end
  repeat
    local moved = false
    for w, p in pairs(alive) do
      local over = w.deadline or bounded(w, p)
      for _, case in ipairs(w.cases or {w}) do over = over or ends(case, p) end
      if over then
        alive[w], ended[p.pid], moved = nil, true, true
        for _, h in ipairs(w.holds) do held[h.object] = held[h.object] - 1 end
        break
      end
    end
  until not moved
  return alive
end

describe("the graph of waits", function()
  it("says of random systems what is stuck as a program does that plays them", function()
    local seed = os.time()
    math.randomseed(seed)
    local stuck_systems = 0
    for round = 1, 10000 do
      local s = random_system(math.random)
      local truth, list = play(s), wait_graph.stuck(s)
      local n = 0
      for _ in pairs(truth) do n = n + 1 end
      assert.equal(n, #list, ("seed %d, round %d"):format(seed, round))
      for _, node in ipairs(list) do assert.is_truthy(truth[node.wait]) end
      if n > 0 then stuck_systems = stuck_systems + 1 end
    end
    assert.is_true(stuck_systems > 500 and stuck_systems < 9500, stuck_systems)
  end)

  it("tells each ring once, in its order", function()
    local function wait(task, wants, has)
      return {
        task = task, call = "mutex acquire", object = wants, holds = {{call = "mutex", object = has}}, since = 0,
        sequence = 2,
      }
    end
    local s = {holders = {}, openers = {}, processes = {}}
    for pid, w in ipairs{wait(0, 2, 1), wait(0, 3, 2), wait(0, 1, 3), wait(0, 1, 4), wait(0, 6, 5), wait(0, 5, 6)} do
      s.processes[pid] = {pid = pid, start = 1, torn = 0, timers = 0, runs = {}, waits = {w}, state = "S"}
    end
    local rings, others = wait_graph.rings(wait_graph.stuck(s))
    local pids = {}
    for i, ring in ipairs(rings) do
      pids[i] = {}
      for j, node in ipairs(ring) do pids[i][j] = node.pid end
    end
    assert.same({{1, 2, 3}, {5, 6}}, pids)
    assert.same({1, 4}, {#others, others[1].pid})
  end)
end)

-- Processes ---------------------------------------------------------------------------------------------------

-- Two processes that take two locks crosswise; `wait` is how the child wants the second one.
local function crosswise(a, b, wait)
  local child = ipc.process(function(channel)
    b:acquire()
    channel:send(true)
    channel:receive()
    wait(a)
  end)
  local t = ipc.task{name = "left", function()
    a:acquire()
    child.channel:receive()
    child.channel:send(true)
    b:acquire()
  end}
  return child, t
end

describe("ipc.explain", function()
  it("names a ring of two processes, with the tasks and the lines", function()
    local a, b = ipc.mutex(ipc.private), ipc.mutex(ipc.private)
    local child, t = crosswise(a, b, function(m) m:acquire() end)
    local left <close> = t
    local right <close> = child
    local text = await_about("ring", child.pid)[1].text
    assert.matches("ring of 2", text)
    local waits_for = "%S*explain_spec.lua:%d+, waits %d+%.%d s: mutex acquire of private"
    assert.matches("pid " .. child.pid .. " %(.-%), main chunk, " .. waits_for, text)
    assert.matches("pid " .. ipc.pid() .. " %(.-%), task %d+ 'left', " .. waits_for, text)
    right:close()
    left:close()
    assert.same({}, about("ring", ipc.pid()))
    a:close()
    b:close()
  end)

  it("never calls a wait stuck that has a deadline, nor a select with a way out", function()
    for _, wait in ipairs{
      function(m) m:acquire(1000) end,
      function(m) ipc.select{m, ipc.timer(1000)} end,
      function(m) ipc.timeout(1000, function() m:acquire() end) end,
    } do
      local a, b = ipc.mutex(ipc.private), ipc.mutex(ipc.private)
      local child, t = crosswise(a, b, wait)
      do
        local left <close>, right = t, child
        local _ <close> = right
        await_about("held", ipc.pid())
        assert.same({}, about("ring", ipc.pid(), child.pid))
        assert.equal("waiting", left:status())
      end
      a:close()
      b:close()
    end
  end)

  it("tells of a lock whose holder is stopped", function()
    local m = ipc.mutex(ipc.private)
    local child <close> = ipc.process(function(channel)
      m:acquire()
      channel:send(true)
      channel:receive()
    end)
    child.channel:receive()
    local t <close> = waits.waiting(function() m:acquire() end)
    await_about("held", ipc.pid()) -- so the child's board says what it holds
    child:signal("STOP")
    local found = await_about("unending", ipc.pid())
    assert.matches("held by pid " .. child.pid .. " %(.*%), which is stopped", found[1].text)
    child:signal("KILL")
    assert.is_true(t:join(waits.PATIENCE))
    m:close()
  end)

  it("tells of a process that does not wait #nosan", function()
    local child <close> = ipc.process(function(channel)
      ipc.task{name = "spinner", function()
        channel:send(true)
        ipc.sleep(0.001)
        while true do end
      end}
      ipc.sleep(1000)
    end)
    child.channel:receive()
    local found = await_about("busy", child.pid)
    assert.matches("has not waited for %d+%.%d s: task %d+ 'spinner', which waited last at %S+:%d+", found[1].text)
    child:signal("KILL")
  end)

  it("finds no ring where all goes on", function()
    local a, b, s = ipc.mutex(ipc.private), ipc.mutex(ipc.private), ipc.semaphore(ipc.private, 2)
    local children, pids = {}, {ipc.pid()}
    local _ <close> = setmetatable({}, {__close = function()
      for _, child in ipairs(children) do child:signal("KILL") end
      for _, child in ipairs(children) do child:close() end
    end})
    for i = 1, 4 do
      children[i] = ipc.process(function()
        for _ = 1, 3 do
          ipc.task(function()
            while true do
              s:acquire()
              a:acquire()
              b:acquire()
              b:release()
              a:release()
              s:release()
            end
          end)
        end
      end)
      pids[i + 1] = children[i].pid
    end
    for _ = 1, rounds(10) do
      for _, kind in ipairs{"ring", "behind", "unending"} do assert.same({}, about(kind, table.unpack(pids))) end
    end
    a:close()
    b:close()
    s:close()
  end)
end)
