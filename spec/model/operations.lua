-- SPDX-License-Identifier: MIT
-- What the operations of a program do: each calls the runtime, and tells the books.

local ipc = require "ipc"
local attempt = require "spec.model.attempt"

local operations = {}
local coroutine = ipc.coroutine or coroutine

local function run(flow, ops)
  for _, op in ipairs(ops) do
    local operation = operations[op[1]]
    operation(flow, op)
  end
end

local function one_of(list, n) return list[n % #list + 1] end

-- Waits for one thing ----------------------------------------------------------------------------------------------

-- How to make a case of an operation's numbers; nil when there is no such thing now.
local cases = {}

function cases.acquire(flow, op) return one_of(flow.world.locks, op[2]):case(op) end
function cases.hold(flow, op) return one_of(flow.world.locks, op[2]):case(op, true) end
function cases.send(flow, op) return one_of(flow.world.queues, op[2]):send_of(op) end
function cases.receive(flow, op) return one_of(flow.world.queues, op[2]):receive_of(op) end
function cases.put(flow, op) return one_of(flow.world.channels, op[2]):send_of(op) end
function cases.take(flow, op) return one_of(flow.world.channels, op[2]):receive_of() end
function cases.tick(flow) return flow.world.timer:case() end

local Join = attempt.class()
function Join:__tostring() return "join " .. self.target.name end
function Join:call(timeout) return self.target.task:join(timeout) end
function Join:won(ok, value) self.target:check_result(self.attempt.flow, ok, value) end
function Join:due() return self.target:is_over() end
function Join:sure() return self.target:is_over() end
function Join:after() return false end

function cases.join(flow, op)
  local target = one_of(flow.world.flows, op[2])
  if not target.task or target == flow then return nil end
  return setmetatable({target = target, line = target.joiners, choice = target.task}, Join)
end

local function wait(flow, case, timeout)
  if not case then return end
  local a <close> = attempt.begin(flow, {case}, timeout)
  a:called(case:call(timeout))
end

for name, make in pairs(cases) do
  operations[name] = function(flow, op) wait(flow, make(flow, op), op.t) end
end

-- A wait for oneself is refused.
function operations.acquire(flow, op)
  local case = cases.acquire(flow, op)
  if not case.lock:is_senseless(flow, case, op.t) then return wait(flow, case, op.t) end
  local ok, why = pcall(case.call, case)
  if ok or not tostring(why):find("held by this task", 1, true) then flow:fail("%s of what it holds: %s", case, why) end
end

function operations.try(flow, op)
  local case = cases.acquire(flow, op)
  case.shared, case.try = false, true
  wait(flow, case, 0)
end

function operations.sleep(flow, op)
  local a <close> = attempt.begin(flow, {}, op.t or 0, "sleep")
  ipc.sleep(op.t or 0)
  a:slept()
end

function operations.yield(flow)
  local a <close> = attempt.begin(flow, {}, 0, "yield")
  ipc.yield()
  a:slept()
end

-- The keys are a list's, or words in no order.
function operations.select(flow, op)
  local list, choices, words = {}, {}, op[2] % 2 == 0
  for i, choice in ipairs(op.cases) do
    local case = cases[choice[1]](flow, choice)
    local key = words and "case " .. i or #choices + 1
    if case then list[#list + 1], list[key], choices[key] = case, case, case.choice end
  end
  if not list[1] then return end
  local a <close> = attempt.begin(flow, list, op.t)
  local case = a:selected(ipc.select(choices, op.t))
  local guard <close> = case and case.hold and case.hold.guard
  if guard then case.hold:drop() end
end

-- What does not wait ------------------------------------------------------------------------------------------------

function operations.release(flow, op)
  local lock = one_of(flow.world.locks, op[2])
  local handle = one_of(lock.handles, op[3])
  local hold = lock:own(flow, handle) or lock.kind ~= "mutex" and lock:left(handle) or flow.world:own(flow)
  if hold then hold.lock:release(flow, hold) end
end

function operations.peek(flow, op) one_of(flow.world.queues, op[2]):peek(flow, op) end

local function lock_or_queue(flow, op)
  return one_of(op[4] % 3 == 0 and flow.world.queues or flow.world.locks, op[2])
end

function operations.reopen(flow, op) lock_or_queue(flow, op):reopen(flow, op[3]) end
function operations.remove(flow, op) lock_or_queue(flow, op):renew(flow) end
function operations.stop(flow) flow.world.timer:restart(flow) end
function operations.collect() collectgarbage() end

function operations.look(flow, op)
  one_of(flow.world.locks, op[2]):check(flow)
  one_of(flow.world.queues, op[3]):check(flow)
  local other = one_of(flow.world.flows, op[4])
  if other.task then other:check_status() end
end

function operations.cancel(flow, op)
  local target = one_of(flow.world.flows, op[2])
  if target.task and target.own then target:cancel(flow) end
end

function operations.fail(flow)
  if flow.world.main == flow then return end
  local err = setmetatable({}, {__tostring = function() return "error of " .. flow.name end})
  flow.world.errors[err] = true
  flow:note("raises")
  error(err)
end

-- What has others inside --------------------------------------------------------------------------------------------

-- The books drop the hold before the guard is closed.
function operations.guard(flow, op)
  local case = cases.hold(flow, op)
  if case.lock:is_senseless(flow, case, op.t) then return end
  wait(flow, case, op.t)
  if not case.hold then return end
  local guard <close> = case.hold.guard
  local _ <close> = case.hold
  run(flow, op.body)
end

-- As a function does that knows nothing of who calls it.
function operations.borrow(flow, op)
  local case = cases.acquire(flow, op)
  if case.lock:is_senseless(flow, case, op.t) then return end
  wait(flow, case, op.t)
  run(flow, op.body)
  local hold = case.lock:own(flow, case.handle)
  if hold then case.lock:release(flow, hold) end
end

function operations.catch(flow, op)
  local ok, err = pcall(run, flow, op.body)
  if not ok then flow.world:check_error(flow, err) end
end

local function task(flow, op, region)
  local child = flow.world:flow(flow, region)
  child.own = true
  child.watcher = ipc.task(function() child:check_result(child, child.task:join()) end)
  child.task = ipc.task(child.body, child, run, op.body)
  flow:note("task %s", child)
  return child
end

function operations.task(flow, op) task(flow, op) end

-- The end of close() is the end of the task.
function operations.close(flow, op)
  local child = task(flow, op)
  local _ <close> = setmetatable({}, {__close = function()
    if not child:is_over() then child.asked = true end
    child.task:close()
    if not child:is_over() then flow:fail("close of %s returns before its end", child) end
  end})
  run(flow, op.inner)
end

function operations.coroutine(flow, op) coroutine.wrap(run)(flow, op.body) end

local Region = {}
Region.__index = Region

-- A child has ended.
function Region:ended(child)
  if child.ended == "failed" then self.failed = self.failed or child end
  if child.ended == "cancelled" and child == self.children[1] then self.cancelled = true end
end

-- Whatever becomes of the call, nothing of the region goes on.
function Region:__close(err)
  local flow = self.owner
  for _, child in ipairs(self.children) do
    if child.task and not child:is_over() then flow:fail("leaves %s, but %s goes on", self.name, child) end
    if child.task then child:check_status() end
  end
  if err == nil then return end
  local raised = self.failed and self.failed.err == err
  if not flow.world.is_cancellation(err) then
    if not raised then flow:fail("%s raises %s", self.name, err) end
  elseif self.deadline and self.cancelled and not flow:has_to_end() then
    flow.lent = true -- of its function's end, that of the timeout's caller is made
  else
    flow:cancelled_in(self.name)
  end
end

local function region_of(flow, name)
  flow:note("%s begins", name)
  return setmetatable({owner = flow, name = name, children = {}}, Region)
end

local function child_of(region, task_of)
  local child = region.owner.world:flow(region.owner, region)
  child.own = true
  table.insert(region.children, child)
  child.task = task_of and task_of(child)
  return child
end

function operations.scope(flow, op)
  local region <close> = region_of(flow, "scope")
  local body = child_of(region)
  local result, why = ipc.scope(function(scope)
    for i = 2, #op.bodies do
      child_of(region, function(child) return scope:task(child.body, child, run, op.bodies[i]) end)
    end
    if op[2] % 8 == 0 then
      region.cancelled = true
      scope:cancel()
    end
    return body:body(run, op.bodies[1])
  end)
  flow:note("scope ends: %s, %s", result, why)
  if region.failed then flow:fail("scope swallows an error of %s", region.failed) end
  if body.ended == "done" and result ~= body
    or body.ended ~= "done" and not (result == nil and flow.world.is_cancellation(why)) then
    flow:fail("scope returns %s, %s, but its function is %s", result, why, body.ended or "new")
  end
end

function operations.timeout(flow, op)
  local region <close> = region_of(flow, "timeout")
  region.deadline = ipc.now() + op.t
  local child = child_of(region)
  local result, why = ipc.timeout(op.t, function() return child:body(run, op.body) end)
  flow:note("timeout ends: %s, %s", result, why)
  if result == child and child.ended == "done" then return end
  if result ~= nil or why ~= "timeout" or child.ended == "done" then
    flow:fail("timeout returns %s, %s, but its function is %s", result, why, child.ended or "new")
  end
  if ipc.now() < region.deadline - 2e-9 then flow:fail("timeout is early") end
end

-- Callbacks are not asked for their errors, so they have none.
function operations.after(flow, op)
  local world, child = flow.world, flow.world:flow(flow)
  local due = ipc.now() + op.t
  child.own = true
  world.callbacks[child] = due
  flow:note("after %g s: %s", op.t, child)
  ipc.after(op.t, function()
    if ipc.now() < due - 2e-9 then child:fail("comes early") end
    world.callbacks[child] = nil
    return child:body(operations.catch, {body = op.body})
  end)
end

local function shielded(flow, ops)
  local _ <close> = setmetatable({}, {__close = function() flow.shields = flow.shields - 1 end})
  flow.shields = flow.shields + 1
  run(flow, ops)
end

function operations.shield(flow, op)
  if ipc.shield then ipc.shield(shielded, flow, op.body) end
end

-- Clean-up that waits, however it comes to that.
function operations.defer(flow, op)
  local _ <close> = setmetatable({}, {__close = function()
    if ipc.shield then ipc.shield(shielded, flow, op.last) end
  end})
  run(flow, op.body)
end

operations.run = run
operations.start = task

return operations
