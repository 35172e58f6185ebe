-- SPDX-License-Identifier: MIT
-- The books of a semaphore, a mutex or a file lock: which task holds it, through which handle, with a guard or without.

local ipc = require "ipc"
local attempt = require "spec.model.attempt"

local Lock, Hold, Acquire = {}, {}, attempt.class()
Lock.__index = Lock
Hold.__index = Hold

-- Holds --------------------------------------------------------------------------------------------------------

-- It is about to be given back, or lost: before another task can have it, the books drop it.
function Hold:drop()
  local lock = self.lock
  for i, other in ipairs(lock.holds) do
    if other == self then return table.remove(lock.holds, i) end
  end
end

-- Of a guard.
function Hold:__close()
  self.flow:note("the guard of %s", self.lock.name)
  self:drop()
end

function Lock:has_room(shared)
  if self.kind == "semaphore" then return #self.holds < self.max end
  for _, hold in ipairs(self.holds) do
    if not (shared and hold.shared) then return false end
  end
  return true
end

local function is_own(hold, flow) return hold.flow == flow and not hold.left end

-- A hold of the flow's own without a guard.
function Lock:own(flow, handle)
  for _, hold in ipairs(self.holds) do
    if is_own(hold, flow) and hold.handle == handle and not hold.guard then return hold end
  end
end

-- What a release has to give back: one of the flow's own without a guard; one that any task may release; that of a
-- guard of its own. Only if it is clear which: a task that waits may have got one of which the books do not know yet.
function Lock:to_release(flow, handle)
  local own, others, guarded = self:own(flow, handle), {}, {}
  for _, hold in ipairs(self.holds) do
    local list = hold.guard and is_own(hold, flow) and guarded or not hold.guard and self.kind ~= "mutex" and others
    if list and hold.handle == handle then list[#list + 1] = hold end
  end
  if own or self.line[1] then return own end
  local list = others[1] and others or guarded
  return #list == 1 and list[1] or nil
end

-- Whether it waits for itself for ever, and is told so.
function Lock:is_senseless(flow, case, timeout)
  if self.kind == "semaphore" or case.shared or timeout ~= nil then return false end
  for _, hold in ipairs(self.holds) do
    if is_own(hold, flow) and hold.handle == case.handle then return true end
  end
end

function Lock:release(flow, hold)
  flow:note("release %s by handle %d, what %s has", self.name, hold.handle.number, hold.flow)
  hold:drop()
  local ok, how = hold.handle.object:release()
  if ok ~= true then flow:fail("release of %s says %s, %s", self.name, ok, how) end
end

-- What a task has that fails, or of which only its owner may say that it is released, is given back.
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
  local object = self.handle.object
  if self.guarded then return object:hold(timeout) end
  if self.try then return object:try_acquire() end
  return object:acquire(timeout, self.shared and "shared" or nil)
end

-- One that came too late for a handle that was closed, or an object that was removed, is not had.
function Acquire:won(got, how)
  local lock, flow = self.lock, self.attempt.flow
  if self.word then return end
  if not lock:has_room(self.shared) then flow:fail("%s: there are %d holders already", self, #lock.holds) end
  if (how == "abandoned") ~= lock.told then
    flow:fail("%s says %s, its last holder %s", self, how, lock.told and "ended without release" or "released it")
  end
  lock.told = false
  self.hold = setmetatable({
    lock = lock, flow = flow, handle = self.handle, shared = self.shared, guard = self.guarded and got or nil,
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

function Acquire:sure() return #self.line == 1 and self.lock:has_room(self.shared) end
function Acquire:after(other) return self.lock.kind ~= "file" or other.handle == self.handle end

function Lock:case(op, guarded)
  local handle = self:handle(op[3])
  local shared = self.kind == "file" and not guarded and op[4] % 2 == 0
  local case = {lock = self, line = self.line, handle = handle, shared = shared, guarded = guarded}
  case.choice = {handle.object, guarded and "hold" or "acquire", nil, shared and "shared" or nil}
  return setmetatable(case, Acquire)
end

-- The object -----------------------------------------------------------------------------------------------------

function Lock:open()
  return assert(self.kind == "semaphore" and ipc.semaphore(self.key, self.max)
    or self.kind == "mutex" and ipc.mutex(self.key) or ipc.file_lock(self.path))
end

function Lock:handle(n) return self.handles[n % #self.handles + 1] end

-- The end of a handle, or of all, with what is held and waited for.
local function interrupt(self, word, handle)
  for i = #self.holds, 1, -1 do
    if not handle or self.holds[i].handle == handle then table.remove(self.holds, i) end
  end
  for _, case in ipairs(self.line) do
    if not handle or case.handle == handle then case:interrupt(word) end
  end
end

-- A handle is closed, and opened anew.
function Lock:reopen(flow, n)
  local old = self:handle(n)
  if #self.handles == 1 then return end
  flow:note("close %s, handle %d", self.name, old.number)
  interrupt(self, "closed", old)
  old.object:close()
  self.handles[old.number] = {number = old.number, object = self:open()}
end

-- It is removed; then there is another one.
function Lock:renew(flow)
  if self.kind == "file" then return end
  flow:note("remove %s", self.name)
  interrupt(self, "removed")
  assert(self.handles[1].object:remove())
  self.line, self.told = {}, false
  for i in ipairs(self.handles) do self.handles[i] = {number = i, object = self:open()} end
end

-- How much is free is known when no task is about to take some.
function Lock:check(flow)
  local object, held, settled = self.handles[1].object, #self.holds, #self.line == 0
  if self.kind == "mutex" then
    local holder = object:holder()
    if settled and holder ~= (held > 0 and self.world.pid or nil) then
      flow:fail("%s has holder %s, but %d hold it", self.name, holder, held)
    end
  elseif self.kind == "semaphore" then
    local value = object:value()
    if value > self.max - held or settled and value < self.max - held then
      flow:fail("%s has %s free, but %d of %d are held", self.name, value, held, self.max)
    end
  end
end

-- At the end only that is held which tasks have left behind, and the main chunk has.
function Lock:finish(flow)
  for i = #self.holds, 1, -1 do self:release(flow, self.holds[i]) end
  self:check(flow)
  local object = self.handles[1].object
  local ok, how = object:acquire(0)
  if not ok or (how == "abandoned") ~= self.told then flow:fail("%s says %s, %s at the end", self.name, ok, how) end
  object:release()
  if self.kind ~= "file" then object:remove() end
  for _, handle in ipairs(self.handles) do handle.object:close() end
end

-- options: kind, name, max; key, or path of a file; handles: how many
function Lock.new(world, options)
  local self = setmetatable(options, Lock)
  local count = self.handles
  self.world, self.line, self.holds, self.handles, self.told = world, {}, {}, {}, false
  for i = 1, count do self.handles[i] = {number = i, object = self:open()} end
  return self
end

return Lock
