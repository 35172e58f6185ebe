-- SPDX-License-Identifier: MIT
-- A timer that is waited for: every tick comes once, as served or as missed, and none before its time.

local ipc = require "ipc"
local attempt = require "spec.model.attempt"

local INTERVAL <const> = 1e-4

local Timer, Tick = {}, attempt.class()
Timer.__index = Timer

function Tick:__tostring() return "tick" end

function Tick:call(timeout) return self.timer.object:wait(timeout) end

function Tick:won(tick, missed)
  local timer, flow = self.timer, self.attempt.flow
  if self.word then return end
  local early = timer.start + tick * INTERVAL - ipc.now()
  if early > attempt.SLACK then flow:fail("tick %d is %g s early", tick, early) end
  for n = tick - missed, tick do
    if timer.seen[n] then flow:fail("tick %d came twice", n) end
    timer.seen[n] = true
  end
end

function Tick:soon() return ipc.now() + INTERVAL end
function Tick:due() return self.doomed end

function Timer:case()
  return setmetatable({timer = self, line = self.line, choice = {self.object, "wait"}}, Tick)
end

-- Those that wait are told that it was stopped; then it starts anew.
function Timer:restart(flow)
  flow:note("restart the timer")
  for _, case in ipairs(self.line) do case:interrupt("closed") end
  self.object:stop()
  self.seen, self.start = {}, ipc.now()
  self.object:start()
end

function Timer:finish() self.object:close() end

function Timer.new(world)
  return setmetatable({
    world = world, line = {}, seen = {}, start = ipc.now(), object = ipc.timer(INTERVAL),
  }, Timer)
end

return Timer
