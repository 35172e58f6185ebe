-- SPDX-License-Identifier: MIT
-- What the operations of a program do: each calls the runtime, and tells the books. Those that have others inside are
-- in nested.lua.

local ipc = require "ipc"
local attempt = require "spec.model.attempt"

local operations = {}

local function one_of(list, n) return list[n % #list + 1] end

function operations.run(flow, ops)
  for _, op in ipairs(ops) do operations[op[1]](flow, op) end
end

-- Waits ------------------------------------------------------------------------------------------------------------

-- What can be waited for; nil when there is no such thing now.
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
function Join:won(ok, value) self.target:check_result(ok, value) end
function Join:due() return self.target:is_over() end
function Join:sure() return self.target:is_over() end
function Join:after() return false end

function cases.join(flow, op)
  local target = one_of(flow.world.flows, op[2])
  if not target.task or target == flow then return nil end
  return setmetatable({target = target, line = target.joiners, choice = target.task}, Join)
end

local function wait(flow, case, timeout)
  local a <close> = attempt.begin(flow, {case}, timeout)
  a:called(case:call(timeout))
end

-- Returns what was acquired, if it was. To wait for oneself is refused.
function operations.take_lock(flow, case, timeout)
  if not case.lock:is_senseless(flow, case, timeout) then
    wait(flow, case, timeout)
    return case.hold
  end
  local ok, why = pcall(case.call, case)
  if ok or not tostring(why):find("held by this task", 1, true) then flow:fail("%s of what it holds: %s", case, why) end
end

for name, make in pairs(cases) do
  operations[name] = function(flow, op)
    local case = make(flow, op)
    if case then wait(flow, case, op.t) end
  end
end

function operations.acquire(flow, op) operations.take_lock(flow, cases.acquire(flow, op), op.t) end

-- For guard.
function operations.hold(flow, op) return operations.take_lock(flow, cases.hold(flow, op), op.t) end

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

-- The choices are a list, or have words for keys. A guard is given back at once.
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
  local hold = case and case.hold
  if hold and hold.guard then
    hold:drop()
    hold.guard:close()
  end
end

-- What does not wait ------------------------------------------------------------------------------------------------

function operations.release(flow, op)
  local lock = one_of(flow.world.locks, op[2])
  local hold = lock:to_release(flow, lock:handle(op[3])) or flow.world:to_release(flow)
  if hold then hold.lock:release(flow, hold) end
end

local function lock_or_queue(flow, op)
  return one_of(op[4] % 3 == 0 and flow.world.queues or flow.world.locks, op[2])
end

function operations.reopen(flow, op) lock_or_queue(flow, op):reopen(flow, op[3]) end
function operations.remove(flow, op) lock_or_queue(flow, op):renew(flow) end
function operations.peek(flow, op) one_of(flow.world.queues, op[2]):peek(flow, op) end
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
  if target.task then target:cancel(flow) end
end

-- Half of the errors are texts, which get a traceback where a scope or a timeout raises them again.
function operations.fail(flow, op)
  flow:note("raises")
  error(flow.world:new_error(flow, op[2] % 2 == 0), 0)
end

return operations
