-- SPDX-License-Identifier: MIT
-- Structured concurrency over tasks: ipc.scope and ipc.timeout. Each Lua half is called with the module and with
-- the functions that only the halves may use.

local ipc, core = ...

local Scope = {}
Scope.__index = Scope
Scope.__name = "ipc.Scope"

local unpack, pack = table.unpack, table.pack

-- the scope's own task watches each child, so a failure stops the others at once
local function watch(scope, child)
  local ok = child:join()
  scope.running[child] = nil
  if not ok and child:status() == "failed" and not scope.failed then
    scope.failed = child
    scope:cancel()
  end
end

function Scope:task(fn, ...)
  if self.closed then error("scope is closed", 2) end
  local child = ipc.task(fn, ...)
  core.hold(child)
  self.running[child] = true
  self.watchers[#self.watchers + 1] = core.hold(ipc.task(watch, self, child))
  if self.failed or self.cancelled then child:cancel() end
  return child
end

function Scope:cancel()
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
  if type(err) == "string" then err = core.traceback(child) or err end
  error(err, 0)
end

-- the function is a child like the others, so their errors stop it too
function ipc.scope(fn)
  local scope <close> = setmetatable({running = {}, watchers = {}}, Scope)
  local body = scope:task(fn, scope)
  local i = 1
  while scope.watchers[i] do
    scope.watchers[i]:join()
    i = i + 1
  end
  if scope.failed then raise(scope.failed) end
  local results = pack(body:join(0))
  if results[1] then return unpack(results, 2, results.n) end
  return nil, results[2]
end

local function finish(child, ok, ...)
  if ok == nil or child:status() == "cancelled" then return nil, "timeout" end
  if not ok then raise(child) end
  return ...
end

function ipc.timeout(seconds, fn, ...)
  local child = core.hold(ipc.task(fn, ...))
  do
    local _ <close> = setmetatable({}, {__close = function()
      child:cancel()
      core.outlast(child)
    end})
    child:join(seconds)
  end
  return finish(child, child:join(0))
end

return ipc
