-- SPDX-License-Identifier: MIT
-- The books of a semaphore, a mutex or a file lock: who holds it, through which handle, with a guard or without.

local ipc = require "ipc"
local attempt = require "spec.model.attempt"

local Lock = {}
Lock.__index = Lock

local Acquire, Hold = attempt.class(), {}
Hold.__index = Hold

-- Holds --------------------------------------------------------------------------------------------------------

function Lock:has_room(shared)
  if self.kind == "semaphore" then return #self.holds < self.max end
  for _, hold in ipairs(self.holds) do
    if not (shared and hold.shared) then return false end
  end
  return true
end

-- It is about to be given back; whoever is told of that tells the books first.
function Hold:drop()
  self.flow:note("give back %s", self.lock.name)
  for i, other in ipairs(self.lock.holds) do
    if other == self then return table.remove(self.lock.holds, i) end
  end
end

Hold.__close = Hold.drop

-- A hold of the flow that no guard stands for, through that handle or any.
function Lock:own(flow, handle, guarded)
  for _, hold in ipairs(self.holds) do
    if hold.flow == flow and not hold.left and (not handle or hold.handle == handle) and (guarded or not hold.guard) then return hold end
  end
end

-- One that a task has left behind, if the handle has no others: then it is clear which is released.
function Lock:left(handle)
  local left
  for _, hold in ipairs(self.holds) do
    if hold.handle == handle then
      if not hold.left then return nil end
      left = hold
    end
  end
  return left
end

function Lock:flow_ended(flow)
  local owned, failed = self.kind == "mutex", flow.ended ~= "done"
  for i = #self.holds, 1, -1 do
    local hold = self.holds[i]
    if hold.flow == flow and not (failed or owned) then
      hold.left = true
    elseif hold.flow == flow then
      table.remove(self.holds, i)
      self.told = self.told or owned
    end
  end
end

-- Waits --------------------------------------------------------------------------------------------------------

function Acquire:__tostring()
  return ("%s %s%s by handle %d"):format(self.guarded and "hold" or "acquire", self.lock.name,
    self.shared and " shared" or "", self.handle.number)
end

function Acquire:call(timeout)
  if self.guarded then return self.handle.object:hold(timeout) end
  if timeout == 0 and self.try then return self.handle.object:try_acquire() end
  return self.handle.object:acquire(timeout, self.shared and "shared" or nil)
end

function Acquire:won(got, how)
  local lock, flow = self.lock, self.attempt.flow
  if self.word then return end
  if not lock:has_room(self.shared) then flow:fail("%s: there are %d holders already", self, #lock.holds) end
  if (how == "abandoned") ~= (lock.told or false) then
    flow:fail("%s says %s, its last holder %s", self, how, lock.told and "ended without release" or "released")
  end
  lock.told = false
  self.hold = setmetatable({
    lock = lock, flow = flow, handle = self.handle, shared = self.shared, guard = self.guarded and got,
  }, Hold)
  table.insert(lock.holds, self.hold)
end

function Acquire:due()
  if self.doomed then return true end
  for _, other in ipairs(self.line) do
    if other == self then return self.lock:has_room(self.shared) end
    if self:after(other) then return false end
  end
end

function Acquire:sure()
  return #self.line == 1 and self.lock:has_room(self.shared)
end

function Acquire:after(other)
  return self.lock.kind ~= "file" or other.handle == self.handle
end

-- The lock and the handle are chosen by numbers. A wait for oneself without end raises.
function Lock:case(op, guarded)
  local handle = self.handles[op[3] % #self.handles + 1]
  local shared = self.kind == "file" and not guarded and op[4] % 2 == 0
  local case = {lock = self, line = self.line, handle = handle, shared = shared, guarded = guarded}
  case.choice = {handle.object, guarded and "hold" or "acquire", nil, shared and "shared" or nil}
  return setmetatable(case, Acquire)
end

-- It would wait for itself for ever, and has to say so.
function Lock:is_senseless(flow, case, timeout)
  return self.kind ~= "semaphore" and not case.shared and timeout == nil and self:own(flow, case.handle, true)
end

-- Others -------------------------------------------------------------------------------------------------------

function Lock:release(flow, hold)
  hold:drop()
  local ok, how = hold.handle.object:release()
  if ok ~= true then flow:fail("release of %s says %s, %s", self.name, ok, how) end
end

-- How many are free is known when nobody is about to take one.
function Lock:check(flow)
  local handle = self.handles[1].object
  if self.kind == "file" then return end
  local settled, held = #self.line == 0, #self.holds
  if self.kind == "mutex" then
    local holder = handle:holder()
    if holder ~= (held > 0 and self.world.pid or nil) and settled then
      flow:fail("%s has holder %s, but %d hold it", self.name, holder, held)
    end
  else
    local value = handle:value()
    if value > self.max - held or settled and value < self.max - held then
      flow:fail("%s has %s free, but %d of %d are held", self.name, value, held, self.max)
    end
  end
end

-- The end of a handle, with all that it holds, or of all of them.
function Lock:interrupt(word, handle)
  for i = #self.holds, 1, -1 do
    if not handle or self.holds[i].handle == handle then table.remove(self.holds, i) end
  end
  for _, case in ipairs(self.line) do
    if not handle or case.handle == handle then case:interrupt(word) end
  end
end

-- A handle is closed, and opened anew.
function Lock:reopen(flow, n)
  if #self.handles == 1 then return end
  local at = n % #self.handles + 1
  flow:note("close %s, handle %d", self.name, at)
  self:interrupt("closed", self.handles[at])
  self.handles[at].object:close()
  self.handles[at] = {number = at, object = self:open()}
end

-- It is removed; there is another one then.
function Lock:renew(flow)
  if self.kind == "file" then return end
  flow:note("remove %s", self.name)
  self:interrupt("removed")
  assert(self.handles[1].object:remove())
  self.line, self.told = {}, false
  for i in ipairs(self.handles) do self.handles[i] = {number = i, object = self:open()} end
end

function Lock:open()
  return assert(self.kind == "semaphore" and ipc.semaphore(self.key, self.max)
    or self.kind == "mutex" and ipc.mutex(self.key) or ipc.file_lock(self.path))
end

-- At the end only what was left behind is held.
function Lock:finish(flow)
  for i = #self.holds, 1, -1 do self:release(flow, self.holds[i]) end
  self:check(flow)
  if self.kind == "mutex" then
    local ok, how = self.handles[1].object:acquire(0)
    if not ok or (how == "abandoned") ~= (self.told or false) then
      flow:fail("%s says %s, %s at the end", self.name, ok, how)
    end
    self.handles[1].object:release()
  elseif self.kind == "file" then
    assert(self.handles[1].object:acquire(0))
    self.handles[1].object:release()
  end
  if self.kind ~= "file" then self.handles[1].object:remove() end
  for _, handle in ipairs(self.handles) do handle.object:close() end
end

-- options: kind, name, max, key (none: private), path
function Lock.new(world, options)
  local self = setmetatable(options, Lock)
  self.world, self.line, self.holds, self.handles = world, {}, {}, {}
  for i = 1, self.path and 2 or world.handles do self.handles[i] = {number = i, object = self:open()} end
  return self
end

return Lock
