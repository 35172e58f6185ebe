-- SPDX-License-Identifier: MIT
-- Structured concurrency over tasks: ipc.scope and ipc.timeout. Each script is called with the module and with
-- the functions that only the scripts may use.

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
  if seconds < 0 then bad(arg, call, "timeout must be seconds, not negative") end
  if seconds ~= seconds then bad(arg, call, "timeout must be seconds, not NaN") end
end

local function check_scope(call, self)
  if getmetatable(self) ~= Scope then
    core.fail(("calling '%s' on bad self (ipc.Scope expected, got %s)"):format(call, type(self)))
  end
end

-- A scope is a ring of nodes, one for each task that has not ended. A task of the scope's own watches over each of
-- them, so a failure stops the others at once. The function is a child like the others; without it nothing is left to
-- end them.
local function unlink(node)
  node.prev.next, node.next.prev = node.next, node.prev
end

local function watch(scope, node)
  local ok = core.outlast(node.child)
  unlink(node)
  if ok then return end
  local failed = node.child:status() == "failed"
  if failed and not scope.failed then scope.failed = node.child end
  if failed or node.child == scope.body then scope:cancel() end
end

local function add(scope, fn, ...)
  local child = core.hold(ipc.task(fn, ...))
  local node = {child = child, watcher = false, prev = scope.prev, next = scope}
  node.prev.next, scope.prev = node, node
  node.watcher = core.hold(ipc.task(watch, scope, node))
  if scope.cancelled then child:cancel() end
  return child
end

function Scope:task(fn, ...)
  check_scope("task", self)
  if type(fn) ~= "table" then check_function(1, "task", fn) end
  if self.closed then core.fail("scope is closed") end
  return add(self, fn, ...)
end

function Scope:cancel()
  check_scope("cancel", self)
  self.cancelled = true
  local node = self.next
  while node ~= self do
    node.child:cancel()
    node = node.next
  end
end

function Scope:__tostring()
  return ("ipc.Scope (%s)"):format(self.closed and "closed" or "open")
end

-- Left by an error, or done: waits for all children, whatever becomes of us or of those that watch meanwhile.
function Scope:__close(err)
  if err ~= nil then self:cancel() end
  while self.next ~= self do
    local node = self.next
    if node.watcher then core.outlast(node.watcher) end
    if self.next == node then
      core.outlast(node.child)
      unlink(node)
    end
  end
  self.closed = true
end

local function raise(child)
  local _, err = child:join(0)
  core.raise(type(err) == "string" and core.traceback(child) or err)
end

function ipc.scope(fn)
  check_function(1, "scope", fn)
  local scope <close> = setmetatable({prev = false, next = false, body = false, cancelled = false}, Scope)
  scope.prev, scope.next = scope, scope
  scope.body = add(scope, fn, scope)
  while scope.next ~= scope do
    local watcher = scope.next.watcher
    if not (watcher and watcher:join()) then error("not enough memory", 0) end -- for it, or for what it had to do
  end
  if scope.failed then raise(scope.failed) end
  local results = pack(scope.body:join(0))
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
    if seconds == 0 then ipc.yield() end -- it has its try
    in_time = child:join(seconds) ~= nil
  end
  return finish(child, in_time, child:join(0))
end

return ipc
