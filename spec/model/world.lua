-- SPDX-License-Identifier: MIT
-- All that there is while one program runs: the objects, the tasks, what waits, and what has happened. It runs the
-- program to its end: when nothing moves any more the books say whether that is right, and then a task is cancelled.

local ipc = require "ipc"
local Channel = require "spec.model.channel"
local Flow = require "spec.model.flow"
local Lock = require "spec.model.lock"
local operations = require "spec.model.nested"
local Queue = require "spec.model.queue"
local Timer = require "spec.model.timer"

local PATIENCE <const> = tonumber(os.getenv("MODEL_PATIENCE")) or 20 -- seconds for what has to happen
local NAP <const> = 1e-5

local World = {}
World.__index = World

-- The books ----------------------------------------------------------------------------------------------------------

function World:note(flow, text, ...)
  local trace = self.trace
  trace[#trace + 1] = ("%-8s "):format(flow.name) .. text:format(...)
end

-- Ends the process: after a fault nothing is sure.
function World:fail(flow, text, ...)
  print(("%s\n%s %s"):format(table.concat(self.trace, "\n"), flow.name, text:format(...)))
  os.exit(1)
end

function World:step()
  self.steps = self.steps + 1
  return self.steps
end

function World:next_message()
  self.messages = self.messages + 1
  return self.messages
end

function World:enter(attempt)
  table.insert(self.waiting, attempt)
  return self:step()
end

function World:forget(attempt)
  self:step()
  for i, other in ipairs(self.waiting) do
    if other == attempt then return table.remove(self.waiting, i) end
  end
end

function World:new_flow(parent, region)
  local flow = Flow.new(self, parent, region)
  table.insert(self.flows, flow)
  return flow
end

function World:flow_ended(flow)
  self:step()
  for _, lock in ipairs(self.locks) do lock:flow_ended(flow) end
end

-- Anything that the flow may release.
function World:to_release(flow)
  for _, lock in ipairs(self.locks) do
    for _, handle in ipairs(lock.handles) do
      local hold = lock:own(flow, handle)
      if hold then return hold end
    end
  end
end

function World:new_error(flow, is_text)
  self.errors = self.errors + 1
  local text = ("error %d of %s."):format(self.errors, flow)
  return is_text and text or setmetatable({}, {__tostring = function() return text end})
end

-- An error that is a text may have got a traceback.
function World.is_error_of(err, flow)
  return err == flow.err or type(err) == "string" and type(flow.err) == "string" and err:find(flow.err, 1, true) == 1
end

function World:check_error(flow, err)
  flow:note("catches %s", tostring(err):match("[^\n]*"))
  if err ~= ipc.cancelled and not tostring(err):find("error %d+ of ") then flow:fail("catches %s", err) end
end

-- Running ------------------------------------------------------------------------------------------------------------

local turns = {}
function turns.yield() ipc.yield() end
function turns.sleep() ipc.sleep(NAP) end
function turns.step() ipc.step(0) end

function World:is_alive()
  for _, flow in ipairs(self.flows) do
    if flow ~= self.main and not flow:is_over() and (flow.task or self.callbacks[flow]) then return true end
  end
end

-- When the first thing happens by itself.
function World:next_event()
  local soonest = math.huge
  for _, attempt in ipairs(self.waiting) do
    if attempt.timeout then soonest = math.min(soonest, attempt.began + attempt.timeout) end
    for _, case in ipairs(attempt.cases) do
      if case.soon then soonest = math.min(soonest, case:soon()) end
    end
  end
  for _, flow in ipairs(self.flows) do
    local deadline = flow.region and flow.region.deadline
    if deadline and flow.started and not flow.ended then soonest = math.min(soonest, deadline) end
  end
  for _, due in pairs(self.callbacks) do soonest = math.min(soonest, due) end
  return soonest
end

-- A wait that should have ended by now.
function World:overdue()
  for _, attempt in ipairs(self.waiting) do
    if attempt.flow.shields == 0 and attempt.flow:has_to_end() then return attempt end
    for _, case in ipairs(attempt.cases) do
      if case:due() then return attempt end
    end
  end
end

-- Ends the process, after a list of the tasks that there are.
local function fail_stuck(self, text)
  for _, task in ipairs(ipc.tasks()) do
    self:note(self.main, "there is a task %s, waits for %s, %s", task.status, task.waiting_on, task.where)
  end
  for _, flow in ipairs(self.flows) do
    if flow ~= self.main and not flow:is_over() then
      self:note(flow, "is not over: %s%s", flow.started and "at work" or "new", flow.asked and ", cancelled" or "")
    end
  end
  self:fail(self.main, text)
end

function World:cancel_one()
  local left = {}
  for _, flow in ipairs(self.flows) do
    if flow.task and not flow.asked and not flow:is_over() then left[#left + 1] = flow end
  end
  if not left[1] then return ipc.sleep(NAP) end
  self.choice = self.choice % #self.program.choices + 1
  left[self.program.choices[self.choice] % #left + 1]:cancel(self.main)
end

-- Nothing has moved for some turns.
function World:stuck(since)
  local overdue, soonest = self:overdue(), self:next_event()
  if ipc.now() - since > PATIENCE then
    if overdue then overdue.flow:fail("waits for ever: %s, and by the books it is served", overdue) end
    fail_stuck(self, "nothing moves any more")
  end
  if overdue then return ipc.sleep(NAP) end
  if soonest < math.huge then return ipc.sleep(math.max(0, math.min(soonest - ipc.now(), 1e-3))) end
  self:cancel_one()
end

local function counters()
  local stats = ipc.stats()
  return ("%d tasks, %d alive, %d timers, %d deadlines"):format(stats.tasks, stats.alive, stats.timers, stats.deadlines)
end

-- All is as at the start.
function World:finish()
  for _, flow in ipairs(self.flows) do
    if flow.task then flow:check_status() end
    if flow.watcher then assert(flow.watcher:join()) end
  end
  for _, object in ipairs(self.objects) do object:finish(self.main) end
  ipc.step(0)
  local now = counters()
  if now ~= self.before then self:fail(self.main, "there are %s; at the start there were %s", now, self.before) end
end

function World:run()
  local turn, main = turns[self.program.turn], self.program.main
  local at, idle, since, before = 0, 0, ipc.now(), nil
  for _, ops in ipairs(self.program.tasks) do operations.task(self.main, {body = ops}) end
  while self:is_alive() do
    turn()
    at = at + 1
    operations.catch(self.main, {"catch", 0, body = {main[at]}})
    local now = self.steps + ipc.stats().switches
    if now ~= before then idle, since, before = 0, ipc.now(), now else idle = idle + 1 end
    if idle > 2 then self:stuck(since) end
  end
  self:finish()
end

function World:add(list, object)
  table.insert(list, object)
  table.insert(self.objects, object)
end

-- options: key(n), the n-th; handles: how many of an object; path: of a file to lock; threads: whether threads wait in
-- the kernel, and are given things there before the loop knows
local function make_objects(self, options)
  local key, handles = options.key, options.handles
  for i, max in ipairs(self.program.permits) do
    local name = "semaphore " .. i
    self:add(self.locks, Lock.new(self, {kind = "semaphore", name = name, max = max, key = key(i), handles = handles}))
  end
  self:add(self.locks, Lock.new(self, {kind = "mutex", name = "mutex", key = key(3), handles = handles}))
  self:add(self.locks, Lock.new(self, {kind = "file", name = "file lock", path = options.path, handles = 2}))
  for i = 1, 2 do
    local name = "queue " .. i
    self:add(self.queues, Queue.new(self, {name = name, key = key(3 + i), handles = handles}))
  end
  for _, direction in ipairs{Channel.pair(self, "channel")} do self:add(self.channels, direction) end
  self.timer = Timer.new(self)
  table.insert(self.objects, self.timer)
end

function World.new(program, options)
  local self = setmetatable({
    program = program, threads = options.threads, pid = ipc.pid(), before = counters(), trace = {}, steps = 0,
    choice = 0, messages = 0, errors = 0, flows = {}, waiting = {}, callbacks = {}, objects = {}, locks = {},
    queues = {}, channels = {},
  }, World)
  self.main = self:new_flow()
  make_objects(self, options)
  return self
end

return World
