-- SPDX-License-Identifier: MIT
-- Operations that have others inside: guards, tasks, scopes, timeouts, callbacks, shields.

local ipc = require "ipc"
local attempt = require "spec.model.attempt"
local operations = require "spec.model.operations"

local run = operations.run

local function closing(fn) return setmetatable({}, {__close = fn}) end

-- Locks --------------------------------------------------------------------------------------------------------------

function operations.guard(flow, op)
  local hold = operations.hold(flow, op)
  if not hold then return end
  local guard <close> = hold.guard -- luacheck: ignore guard
  local _ <close> = hold -- the books know first
  run(flow, op.body)
end

-- As a function does that knows nothing of its caller.
function operations.borrow(flow, op)
  local lock = flow.world.locks[op[2] % #flow.world.locks + 1]
  local case = lock:case(op)
  if not operations.take_lock(flow, case, op.t) then return end
  run(flow, op.body)
  local hold = lock:own(flow, case.handle)
  if hold then lock:release(flow, hold) end
end

function operations.burst(flow, op) run(flow, op.body) end

-- Errors and cancellations -------------------------------------------------------------------------------------------

function operations.catch(flow, op)
  local ok, err = xpcall(run, op[2] % 2 == 0 and debug.traceback or function(e) return e end, flow, op.body)
  if not ok then flow.world:check_error(flow, err) end
end

function operations.coroutine(flow, op) ipc.coroutine.wrap(run)(flow, op.body) end

local function shielded(flow, ops)
  flow.shields = flow.shields + 1
  local _ <close> = closing(function() flow.shields = flow.shields - 1 end)
  run(flow, ops)
end

function operations.shield(flow, op) ipc.shield(shielded, flow, op.body) end

-- Clean-up that waits, however it comes to that.
function operations.defer(flow, op)
  local _ <close> = closing(function() ipc.shield(shielded, flow, op.last) end)
  run(flow, op.body)
end

-- Tasks --------------------------------------------------------------------------------------------------------------

-- Another task joins it before it can end, so its error is looked after.
function operations.task(flow, op)
  local child = flow.world:new_flow(flow)
  child.watcher = ipc.task(function() child:check_result(child.task:join()) end)
  child.task = ipc.task(child.body, child, run, op.body)
  flow:note("task %s", child)
  return child
end

-- The end of close() is the end of the task.
function operations.close(flow, op)
  local child = operations.task(flow, op)
  local _ <close> = closing(function()
    if not child:is_over() then child.asked = true end
    child.task:close()
    if not child:is_over() then flow:fail("close of %s returns before its end", child) end
  end)
  run(flow, op.inner)
end

-- No task can join a callback, so it has no errors.
local function callback(child, ops) return child:body(operations.catch, {"catch", 0, body = ops}) end

function operations.after(flow, op)
  local world, child, due = flow.world, flow.world:new_flow(flow), ipc.now() + op.t
  world.callbacks[child] = due
  flow:note("after %g s: %s", op.t, child)
  ipc.after(op.t, function()
    if ipc.now() < due - attempt.SLACK then child:fail("comes early") end
    world.callbacks[child] = nil
    return callback(child, op.body)
  end)
end

-- A timer that calls as often as there are bodies, and never while it is called.
function operations.every(flow, op)
  local world, start, tick, calls, child = flow.world, ipc.now(), 0, 0, nil
  local function expect()
    child = world:new_flow(flow)
    world.callbacks[child] = start + (tick + 1) * op.t
    flow:note("every %g s: %s", op.t, child)
  end
  expect()
  ipc.timer(op.t, function(timer, missed)
    if child.started then child:fail("is overlapped by its own timer") end
    calls, tick = calls + 1, tick + 1 + missed
    if ipc.now() < start + tick * op.t - attempt.SLACK then child:fail("comes early") end
    world.callbacks[child] = nil
    if not op.bodies[calls + 1] then timer:stop() end
    local _ <close> = closing(function() if op.bodies[calls + 1] then expect() end end)
    return callback(child, op.bodies[calls])
  end)
end

-- Regions: a scope or a timeout, with the tasks in it -----------------------------------------------------------------

local Region = {}
Region.__index = Region

-- Its function is the first child; without it nothing ends the others of a scope.
function Region:child_ended(child)
  if child.ended == "failed" then self.failed = self.failed or child end
  if child.ended == "cancelled" and child == self.children[1] then self.cancelled = true end
end

function Region:has_to_end(child)
  return self.cancelled or self.failed and self.failed ~= child or self.deadline and ipc.now() >= self.deadline
    or self.owner:has_to_end()
end

function Region:new_child()
  local child = self.owner.world:new_flow(self.owner, self)
  table.insert(self.children, child)
  return child
end

-- Whatever becomes of the call, nothing in it goes on.
function Region:__close(err)
  local flow = self.owner
  for _, child in ipairs(self.children) do
    if child.task then child:check_status() end
    if child.task and not child:is_over() then flow:fail("leaves %s, but %s goes on", self.name, child) end
  end
  if err == nil then return end
  if err ~= ipc.cancelled then
    if not (self.failed and flow.world.is_error_of(err, self.failed)) then flow:fail("%s raises %s", self.name, err) end
  elseif self.deadline and self.cancelled then
    flow.lent = true -- the end of its function is that of the call, and need not be the caller's
  else
    flow:cancelled_in(self.name)
  end
end

local function region(flow, name, deadline)
  flow:note("%s begins", name)
  return setmetatable({owner = flow, name = name, deadline = deadline, children = {}}, Region)
end

function operations.scope(flow, op)
  local r <close> = region(flow, "scope")
  local body = r:new_child()
  local result, why = ipc.scope(function(scope)
    for i = 2, #op.bodies do
      local child = r:new_child()
      child.task = scope:task(child.body, child, run, op.bodies[i])
    end
    if op[2] % 8 == 0 then
      r.cancelled = true
      scope:cancel()
    end
    return body:body(run, op.bodies[1])
  end)
  flow:note("scope ends: %s, %s", result, why)
  if r.failed then flow:fail("scope swallows the error of %s", r.failed) end
  local right = body.ended == "done" and result == body
    or body.ended ~= "done" and result == nil and why == ipc.cancelled
  if not right then flow:fail("scope returns %s, %s; its function is %s", result, why, body.ended or "new") end
end

function operations.timeout(flow, op)
  local r <close> = region(flow, "timeout", ipc.now() + op.t)
  local child = r:new_child()
  local result, why = ipc.timeout(op.t, function() return child:body(run, op.body) end)
  flow:note("timeout ends: %s, %s", result, why)
  if child.ended == "done" and result == child then return end
  if child.ended == "done" or result ~= nil or why ~= "timeout" then
    flow:fail("timeout returns %s, %s; its function is %s", result, why, child.ended or "new")
  end
  if ipc.now() < r.deadline - attempt.SLACK then flow:fail("timeout is early") end
end

return operations
