-- SPDX-License-Identifier: MIT
-- The books of one task, or of the main chunk: whether it was cancelled, by which task it may have been, and how it
-- ended. It may belong to a region, which is a scope or a timeout (nested.lua).

local ipc = require "ipc"

local Flow = {}
Flow.__index = Flow

function Flow:__tostring() return self.name end

function Flow:note(...) self.world:note(self, ...) end
function Flow:fail(...) self.world:fail(self, ...) end

-- It waits, and nothing has woken it yet.
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

-- There is a reason to end it: it may be cancelled, and will be at last.
function Flow:has_to_end()
  return self.asked or self.unwound or self.region and self.region:has_to_end(self)
end

-- A wait, or a region, was left by a cancellation.
function Flow:cancelled_in(what)
  if self.shields > 0 then self:fail("%s is cancelled in a shield", what) end
  if not self:has_to_end() then self:fail("%s is cancelled without a reason", what) end
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
  flow.ended, flow.err = err == nil and "done" or err == ipc.cancelled and "cancelled" or "failed", err
  flow:note("is %s", flow.ended)
  if flow.ended == "cancelled" and not (flow.lent or flow:has_to_end()) then
    flow:fail("ends as cancelled without a reason")
  end
  if flow.region then flow.region:child_ended(flow) end
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

local AT_WORK <const> = {waiting = true, ready = true, running = true}

local function is_right(flow, status)
  if flow.ended then return status == flow.ended or flow.task == ipc.current() end
  if flow.started then return AT_WORK[status] end
  return status == "ready" or status == "cancelled" and flow:has_to_end()
end

function Flow:check_status()
  local status = self.task:status()
  if not is_right(self, status) then
    self:fail("has status %s, but it is %s", status, self.ended or self.started and "at work" or "new")
  end
end

-- What a join has brought: the results, the error, or the cancellation.
function Flow:check_result(ok, value)
  local right = self.ended == "done" and ok and value == self
    or self.ended == "failed" and ok == false and value == self.err
    or (self.ended == "cancelled" or not self.started) and ok == false and value == ipc.cancelled
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
  return setmetatable({
    world = world, parent = parent, region = region, name = name, children = 0, shields = 0, joiners = {},
  }, Flow)
end

return Flow
