-- SPDX-License-Identifier: MIT
-- Structured concurrency over tasks: ipc.scope and ipc.timeout. Each Lua half is called with the module and with
-- the functions that only the halves may use.

local ipc, core = ...

local Scope = {}
Scope.__index = Scope
Scope.__name = "ipc.Scope"

local unpack, pack = table.unpack, table.pack

local function bad(arg, call, text)
  core.fail(("bad argument #%d to '%s' (%s)"):format(arg, call, text))
end

local function check_function(arg, call, fn)
  if type(fn) ~= "function" then bad(arg, call, "function expected, got " .. type(fn)) end
end

local function check_seconds(arg, call, seconds)
  if seconds == nil then return end
  if type(seconds) ~= "number" then bad(arg, call, "number expected, got " .. type(seconds)) end
  if seconds < 0 or seconds ~= seconds then bad(arg, call, "timeout must be seconds, not negative") end
end

local function check_scope(call, self)
  if getmetatable(self) ~= Scope then
    core.fail(("calling '%s' on bad self (ipc.Scope expected, got %s)"):format(call, type(self)))
  end
end

-- The scope's own task watches each child, so a failure stops the others at once. The function is a child like the
-- others; without it nobody is left to end them.
local function watch(scope, child, is_function)
  local ok = child:join()
  scope.running[child] = nil
  if ok then return end
  local failed = child:status() == "failed"
  if failed and not scope.failed then scope.failed = child end
  if failed or is_function then scope:cancel() end
end

local function add(scope, is_function, fn, ...)
  local child = core.hold(ipc.task(fn, ...))
  scope.running[child] = true
  scope.watchers[#scope.watchers + 1] = core.hold(ipc.task(watch, scope, child, is_function))
  if scope.cancelled then child:cancel() end
  return child
end

function Scope:task(fn, ...)
  check_scope("task", self)
  check_function(1, "task", fn)
  if self.closed then core.fail("scope is closed") end
  return add(self, false, fn, ...)
end

function Scope:cancel()
  check_scope("cancel", self)
  self.cancelled = true
  for child in pairs(self.running) do child:cancel() end
end

function Scope:__tostring()
  return ("ipc.Scope (%s)"):format(self.closed and "closed" or "open")
end

-- left by an error, or done: waits for all children, whatever becomes of us meanwhile
function Scope:__close(err)
  if err ~= nil then self:cancel() end
  local i = 1
  while self.watchers[i] do
    core.outlast(self.watchers[i])
    i = i + 1
  end
  self.closed = true
end

local function raise(child)
  local _, err = child:join(0)
  core.raise(type(err) == "string" and core.traceback(child) or err)
end

function ipc.scope(fn)
  check_function(1, "scope", fn)
  local scope <close> = setmetatable({running = {}, watchers = {}}, Scope)
  local body = add(scope, true, fn, scope)
  local i = 1
  while scope.watchers[i] do
    scope.watchers[i]:join()
    i = i + 1
  end
  if scope.failed then raise(scope.failed) end
  local results = pack(body:join(0))
  if results[1] and not (scope.cancelled and results.n == 1) then return unpack(results, 2, results.n) end
  return nil, ipc.cancelled
end

-- A cancellation that the end of the time did not bring about is what fn ended with, an error like others.
local function finish(child, in_time, ok, ...)
  if not ok and not in_time and child:status() == "cancelled" then return nil, "timeout" end
  if not ok then raise(child) end
  return ...
end

function ipc.timeout(seconds, fn, ...)
  check_seconds(1, "timeout", seconds)
  check_function(2, "timeout", fn)
  local child = core.hold(ipc.task(fn, ...))
  local in_time
  do
    local _ <close> = setmetatable({}, {__close = function()
      child:cancel()
      core.outlast(child)
    end})
    in_time = child:join(seconds) ~= nil
  end
  return finish(child, in_time, child:join(0))
end

return ipc
