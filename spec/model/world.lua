-- SPDX-License-Identifier: MIT
-- All that there is while one program runs: the objects, the tasks, what waits, and what has happened. Runs it to its
-- end: when nothing moves any more the books say whether that is right, and then somebody is cancelled.

local ipc = require "ipc"
local Channel = require "spec.model.channel"
local Flow = require "spec.model.flow"
local Lock = require "spec.model.lock"
local operations = require "spec.model.operations"
local Queue = require "spec.model.queue"
local Timer = require "spec.model.timer"

local PATIENCE <const> = tonumber(os.getenv('PAT')) or 20 -- seconds for what has to happen

local World = {}
World.__index = World

function World.is_cancellation(err) return err == ipc.cancelled end

-- What has happened ------------------------------------------------------------------------------------------------

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

function World:flow(parent, region)
  local flow = Flow.new(self, parent, region)
  table.insert(self.flows, flow)
  return flow
end

function World:flow_ended(flow)
  self:step()
  for _, lock in ipairs(self.locks) do lock:flow_ended(flow) end
end

function World:own(flow)
  for _, lock in ipairs(self.locks) do
    local hold = lock:own(flow)
    if hold then return hold end
  end
end

function World:check_error(flow, err)
  if not self.errors[err] and not self.is_cancellation(err) then flow:fail("catches %s", err) end
  flow:note("catches %s", err)
end

-- Running it -------------------------------------------------------------------------------------------------------

local turns = {}
function turns.yield() ipc.yield() end
function turns.sleep() ipc.sleep(1e-5) end
function turns.step() ipc.step(0) end

function World:is_alive()
  for _, flow in ipairs(self.flows) do
    if flow ~= self.main and not flow:is_over() and (flow.task or self.callbacks[flow]) then return true end
  end
end

-- When the first thing happens by itself; and what should have happened by now.
function World:prospects()
  local soonest, owing = math.huge, nil
  for _, attempt in ipairs(self.waiting) do
    if attempt.timeout then soonest = math.min(soonest, attempt.began + attempt.timeout) end
    local due = attempt.flow.shields == 0 and attempt.flow:has_to_end()
    for _, case in ipairs(attempt.cases) do
      if case.soon then soonest = math.min(soonest, case:soon()) end
      due = due or case:due()
    end
    if due then owing = owing or attempt end
  end
  for _, flow in ipairs(self.flows) do
    local region = flow.region
    if region and region.deadline and flow.started and not flow.ended then soonest = math.min(soonest, region.deadline) end
  end
  for _, due in pairs(self.callbacks) do soonest = math.min(soonest, due) end
  return soonest, owing
end

function World:cancel_somebody()
  local left = {}
  for _, flow in ipairs(self.flows) do
    if flow.own and flow.task and not flow.asked and not flow:is_over() then left[#left + 1] = flow end
  end
  if not left[1] then self:fail(self.main, "nothing moves, and nothing can be done") end
  self.choice = self.choice % #self.program.choices + 1
  left[self.program.choices[self.choice] % #left + 1]:cancel(self.main)
end

-- Nothing has moved for some turns.
function World:stuck(since)
  local soonest, owing = self:prospects()
  if ipc.now() - since > PATIENCE then
    if owing then owing.flow:fail("waits for ever for %s, which is due", owing) end
    self:fail(self.main, "nothing moves any more")
  end
  if owing then
    ipc.sleep(1e-5)
  elseif soonest < math.huge then
    ipc.sleep(math.max(0, math.min(soonest - ipc.now(), 1e-3)))
  else
    self:cancel_somebody()
  end
end

function World:run()
  local turn, idle, since, at = turns[self.program.turn], 0, ipc.now(), 0
  for _, ops in ipairs(self.program.tasks) do operations.start(self.main, {body = ops}) end
  while self:is_alive() do
    local before = self.steps
    turn()
    at = at + 1
    operations.run(self.main, {self.program.main[at]})
    if self.steps ~= before then idle, since = 0, ipc.now() else idle = idle + 1 end
    if idle > 2 then self:stuck(since) end
  end
end

local function counters()
  local stats = ipc.stats()
  return ("%d tasks, %d alive, %d timers, %d deadlines"):format(stats.tasks, stats.alive, stats.timers, stats.deadlines)
end

-- All is as at the start.
function World:finish()
  for _, flow in ipairs(self.flows) do
    if flow.task then flow:check_status() end
    if flow.watcher then flow.watcher:join() end
  end
  for _, object in ipairs(self.objects) do object:finish(self.main) end
  ipc.yield()
  local now = counters()
  if now ~= self.before then self:fail(self.main, "there are %s; at the start there were %s", now, self.before) end
end

function World:add(list, object)
  table.insert(list, object)
  table.insert(self.objects, object)
end

-- keys(): the next key, or nothing for an engine without; path: of a file to lock
function World.new(program, keys, handles, path, pid)
  local self = setmetatable({
    program = program, handles = handles, pid = pid, before = counters(), trace = {}, steps = 0, choice = 0, messages = 0,
    flows = {}, waiting = {}, callbacks = {}, errors = {}, objects = {}, locks = {}, queues = {}, channels = {},
  }, World)
  self.main = self:flow()
  for i, max in ipairs(program.permits) do
    self:add(self.locks, Lock.new(self, {kind = "semaphore", name = "semaphore " .. i, max = max, key = keys()}))
  end
  self:add(self.locks, Lock.new(self, {kind = "mutex", name = "mutex", key = keys()}))
  self:add(self.locks, Lock.new(self, {kind = "file", name = "file lock", path = path}))
  for i = 1, 2 do self:add(self.queues, Queue.new(self, "queue " .. i, keys())) end
  for _, direction in ipairs{Channel.pair(self, "channel")} do self:add(self.channels, direction) end
  self.timer = Timer.new(self)
  table.insert(self.objects, self.timer)
  return self
end

return World
