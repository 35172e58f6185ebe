-- SPDX-License-Identifier: MIT
-- A call that waits, in the books from its begin to its one end, whatever it waits for: one case, or the several of a
-- select. A case has `line`, the cases that wait for the same thing, oldest first; `choice`, what select is given; and
--   call(timeout)  makes the call
--   won(...)       the call has returned this, and its object has not ended
--   lost(why)      it has not: "timeout", "cancelled", "closed", "removed", "another case"
--   due()          by the books it can be served, so the runtime has to do that as soon as it looks
--   sure()         a call that is made now must find it, even with a timeout of 0
--   after(other)   `other`, which came first, has to be served first
--   soon()         when it will be served by itself

local ipc = require "ipc"

local attempt = {SLACK = 2e-9} -- seconds: of adding floats

local Attempt = {}
Attempt.__index = Attempt

function Attempt:__tostring()
  if self.name then return self.name end
  local names = {}
  for i, case in ipairs(self.cases) do names[i] = tostring(case) end
  return table.concat(names, " or ")
end

-- Others have run since it began.
function Attempt:has_waited()
  return self.flow.world.steps > self.step + 1
end

local function leave(case)
  for i, other in ipairs(case.line) do
    if other == case then return table.remove(case.line, i) end
  end
end

-- It is over: `won` is the case that is, or none. `how` is for the trace, and for those that have lost.
local function finish(self, won, how)
  local flow = self.flow
  if self.over then flow:fail("%s ends twice", self) end
  flow:note("%s: %s", self, how)
  self.over = true
  flow.world:forget(self)
  for _, case in ipairs(self.cases) do
    leave(case)
    if case ~= won then case:lost(won and "another case" or how) end
  end
end

-- The call was left by an error: that is a cancellation, and there is a reason for it.
function Attempt:__close(err)
  if self.over then return end
  if err ~= ipc.cancelled then self.flow:fail("%s raises %s", self, err) end
  self.flow:cancelled_in(self)
  finish(self, nil, "cancelled")
end

local function check_owed(self)
  if self.owed then self.flow:fail("%s goes on after a cancellation", self) end
end

local function check_not_early(self)
  local late = ipc.now() - self.began - (self.timeout or math.huge)
  if late < -attempt.SLACK then self.flow:fail("%s ends %g s early", self, -late) end
end

local function timed_out(self)
  check_owed(self)
  check_not_early(self)
  if self.sure then self.flow:fail("%s says timeout, but it was there", self.sure) end
  finish(self, nil, "timeout")
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

local function served(self, case, first, why, ...)
  check_owed(self)
  if first == nil then
    case:check_end(why)
    return finish(self, nil, why)
  end
  if case.doomed and not self.flow.world.threads then -- the kernel may have given it to a thread before
    self.flow:fail("%s: %s, after it was %s", case, first, case.word)
  end
  check_turn(self, case)
  finish(self, case, #self.cases > 1 and tostring(case) or tostring(first):sub(1, 20))
  case:won(first, why, ...)
end

-- What the call of the only case has returned.
function Attempt:called(first, why, ...)
  if first == nil and why == "timeout" then return timed_out(self) end
  served(self, self.cases[1], first, why, ...)
end

-- What select has returned; returns the case.
function Attempt:selected(which, ...)
  if which == nil then return timed_out(self) end
  local case = self.cases[which]
  served(self, case, ...)
  return case
end

function Attempt:slept()
  check_owed(self)
  check_not_early(self)
  finish(self, nil, "over")
end

-- Enters it: for `local a <close> = attempt.begin(...)`. `cases` is a list, and may have other keys for select's sake.
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
    self.removed = self.removed or word == "removed"
    if self.word then return end
    self.word, self.doomed = word, self.attempt.flow:is_asleep()
  end

  function Case:check_end(why)
    if why ~= self.word then
      self.attempt.flow:fail("%s: nil, %s; its object was %s", self, why, self.word or "there")
    end
  end
  return Case
end

return attempt
