-- SPDX-License-Identifier: MIT
-- A call that waits, in the books from its begin to its one end, whatever it waits for. What it waits for are cases, one
-- or, in a select, several. A case has `line`, the cases that wait for the same thing, oldest first, and
--   call(timeout)  makes the call; `choice` is the same for a select
--   won(...)       the call has returned this, if it is not the end of the object
--   lost(why)      it has not: "timeout", "cancelled", "another case"
--   due()          by the books it can be served, so the runtime will do that as soon as it looks
--   sure()         even a try must find it, if it is made now
--   after(other)   `other`, which came first, has to be served first
-- and default methods here.

local ipc = require "ipc"

local attempt = {}

local Attempt = {}
Attempt.__index = Attempt

local SLACK <const> = 2e-9 -- seconds: of adding floats

function Attempt:__tostring()
  if self.name then return self.name end
  local names = {}
  for i, case in ipairs(self.cases) do names[i] = tostring(case) end
  return table.concat(names, " or ")
end

-- The call was left by an error, unless its end has been told.
function Attempt:__close(err)
  if self.over then return end
  if not self.flow.world.is_cancellation(err) then
    self.flow:fail("%s raises %s", self, err)
  end
  self.flow:cancelled_in(self)
  self:finish(nil, "cancelled")
end

-- Others have run since.
function Attempt:has_waited()
  return self.flow.world.steps > self.step + 1
end

local function leave(case)
  for i, other in ipairs(case.line) do
    if other == case then return table.remove(case.line, i) end
  end
end

function Attempt:finish(won, why)
  local flow = self.flow
  if self.over then flow:fail("%s ends twice", self) end
  flow:note("%s: %s", self, why)
  self.over, flow.waits = true, nil
  flow.world:forget(self)
  for _, case in ipairs(self.cases) do
    leave(case)
    if case ~= won then case:lost(won and "another case" or why) end
  end
end

local function check_owed(self)
  if self.owed then self.flow:fail("%s goes on after a cancellation", self) end
end

local function check_not_early(self)
  local late = ipc.now() - self.began - (self.timeout or math.huge)
  if late < -SLACK then self.flow:fail("%s ends %g s early", self, -late) end
end

function Attempt:timed_out()
  check_owed(self)
  check_not_early(self)
  if self.sure then self.flow:fail("%s says timeout, but it was there", self.sure) end
  self:finish(nil, "timeout")
end

-- Those that came first have been served, that is, woken.
local function check_turn(self, case)
  for _, other in ipairs(case.line) do
    if other == case then return end
    local passed = other.attempt.flow
    if other.attempt ~= self and case:after(other) and passed:is_asleep() then
      self.flow:fail("%s is served before %s of %s", case, other, passed)
    end
  end
end

function Attempt:served(case, first, ...)
  check_owed(self)
  if first ~= nil then check_turn(self, case) end
  local interrupted = case:is_interrupted(first, ...)
  self:finish(not interrupted and case, tostring(first == nil and (...) or first):sub(1, 20))
  if not interrupted then case:won(first, ...) end
end

function Attempt:called(value, why, ...)
  if value == nil and why == "timeout" then return self:timed_out() end
  self:served(self.cases[1], value, why, ...)
end

function Attempt:selected(which, ...)
  if which == nil then return self:timed_out() end
  self:served(self.cases[which], ...)
  return self.cases[which]
end

function Attempt:slept()
  check_owed(self)
  check_not_early(self)
  self:finish(nil, "over")
end

-- Enters it: for `local a <close> = attempt.begin(...)`.
function attempt.begin(flow, cases, timeout, name)
  local self = setmetatable({
    flow = flow, cases = cases, timeout = timeout, name = name, owed = flow:must_unwind(), began = ipc.now(),
  }, Attempt)
  for _, case in ipairs(cases) do
    case.attempt = self
    case.line[#case.line + 1] = case
    if timeout == 0 and case:sure() then self.sure = case end
  end
  flow:note("%s begins, %s", self, timeout or "for ever")
  flow.waits = self
  self.step = flow.world:enter(self)
  return self
end

-- The class of a noun's cases, with what most of them do.
function attempt.class()
  local Case = {}
  Case.__index = Case
  function Case:lost() end
  function Case:sure() return false end
  function Case:after() return true end

  -- Its object is closed or removed: that ends the wait, unless something else has ended it before.
  function Case:interrupt(word)
    self.word, self.doomed = word, self.doomed or self.attempt.flow:is_asleep()
  end

  -- Whether the call has ended by that.
  function Case:is_interrupted(first, why)
    if first == nil and self.word and why == self.word then return true end
    if self.doomed or first == nil then
      self.attempt.flow:fail("%s: %s, %s; its object was %s", self, first, why, self.word or "there")
    end
  end
  return Case
end

return attempt
