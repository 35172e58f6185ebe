-- SPDX-License-Identifier: MIT
-- The books of one task, or of the main chunk: who may have it cancelled, whether it was, and how it ended. Scopes and
-- timeouts are regions: {owner = flow, cancelled, failed = flow, deadline}.

local ipc = require "ipc"

local Flow = {}
Flow.__index = Flow

function Flow:__tostring() return self.name end

function Flow:note(...) self.world:note(self, ...) end
function Flow:fail(...) self.world:fail(self, ...) end

-- Waits, and nothing has ended that yet.
function Flow:is_asleep()
  return self.task ~= nil and self.task:status() == "waiting"
end

function Flow:is_over()
  return self.ended ~= nil or self.task ~= nil and not self.started and self.task:status() == "cancelled"
end

-- A wait that begins now has to raise.
function Flow:must_unwind()
  return (self.asked or self.unwound) and self.shields == 0
end

-- Somebody has reason to end it: it may be cancelled, and at last will be.
function Flow:has_to_end()
  local region = self.region
  return self.asked or self.unwound or region and (region.cancelled or region.failed and region.failed ~= self
    or region.deadline and ipc.now() >= region.deadline or region.owner:has_to_end())
end

function Flow:cancelled_in(attempt)
  if self.shields > 0 then self:fail("%s is cancelled under a shield", attempt) end
  if not self:has_to_end() then self:fail("%s is cancelled, and nobody asked for that", attempt) end
  self.unwound = true
end

function Flow:cancel(by)
  by:note("cancel %s", self)
  if not self:is_over() then self.asked = true end
  self.task:cancel()
end

local ending = {}

-- The function of the task is over.
function ending:__close(err)
  local flow = self.flow
  local cancelled = flow.world.is_cancellation(err)
  flow.ended = err == nil and "done" or cancelled and "cancelled" or "failed"
  flow.err = err
  flow:note("is %s", flow.ended)
  if cancelled and not (flow:has_to_end() or flow.lent) then flow:fail("ends as cancelled, and nobody asked for that") end
  if flow.region then flow.region:ended(flow) end
  flow.world:flow_ended(flow)
end

-- What the task runs.
function Flow:body(run, ops)
  self.started = true
  self.task = ipc.current()
  local _ <close> = setmetatable({flow = self}, ending)
  self:note("starts")
  run(self, ops)
  return self
end

-- What status() has to be.
function Flow:check_status()
  local status = self.task:status()
  local right = self.ended and (status == self.ended or self.task == ipc.current())
    or not self.ended and self.started and (status == "waiting" or status == "ready" or status == "running")
    or not self.started and (status == "ready" or status == "cancelled" and self:has_to_end())
  if not right then self:fail("has status %s, but it is %s", status, self.ended or self.started and "at work" or "new") end
end

-- What a join has brought: the results of the body, the error, or the cancellation.
function Flow:check_result(by, ok, value)
  local right = self.ended == "done" and ok and value == self
    or self.ended == "failed" and ok == false and value == self.err
    or (self.ended == "cancelled" or not self.started) and ok == false and self.world.is_cancellation(value)
  if not right then
    self:fail("is joined as %s, %s, but it is %s, %s", ok, value, self.ended or "new", self.err or self)
  end
  self:check_status()
end

function Flow.new(world, parent, region)
  local name = "main"
  if parent then
    parent.children = parent.children + 1
    name = (parent.parent and parent.name .. "." or "") .. parent.children
  end
  local self = setmetatable({
    world = world, parent = parent, region = region, name = name, children = 0, shields = 0, joiners = {},
  }, Flow)
  return self
end

return Flow
