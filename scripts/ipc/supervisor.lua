-- SPDX-License-Identifier: MIT
-- require "ipc.supervisor": keeps processes running. One that ends is started again, after a pause that grows while it
-- keeps failing; a signal ends them all, the last one first.

local ipc, core = ...

---@class ipc.SupervisorChild
---@field name string
---@field fn? fun(channel: ipc.StreamChannel) runs in a forked process; or
---@field program? table as for ipc.process: {"nginx", "-g", "daemon off;"}
---@field restart? "always"|"on_failure"|"never" "always" by default
---@field backoff? {min: number, max: number} seconds before a new start: 0.1, then twice as much each time, up to 30
---@field reset? number seconds after which one that runs counts as well: the pause is the shortest again; 10 by default
---@field restarts? integer how often in a row before it is given up; without end by default

---@class ipc.SupervisorOptions
---@field children ipc.SupervisorChild[] in the order in which they are started
---@field grace? number seconds from TERM to KILL, 5 by default
---@field signals? string[] what stops them all, {"TERM", "INT"} by default
---@field event? fun(what: string, name: string, ...) "started", "ended", "restarting", "given up", "stopping"

---@class ipc.Supervisor
local Supervisor = {}
Supervisor.__index = Supervisor
Supervisor.__name = "ipc.Supervisor"

local RESTART <const> = {always = true, on_failure = true, never = true}

local function fault(text, ...) error("supervisor: " .. text:format(...), 4) end

local function number(of, name, default, what)
  local value = of[name]
  if value == nil then return default end
  if type(value) ~= "number" or value ~= value or value < 0 then
    fault("%s%s must be a number, 0 or more", what, name)
  end
  return value
end

local function check_child(child, i)
  if type(child) ~= "table" then fault("children[%d] must be a table, got %s", i, type(child)) end
  local name = child.name
  if type(name) ~= "string" then fault("children[%d].name must be a string", i) end
  if (type(child.fn) == "function") == (type(child.program) == "table") then
    fault("%s needs a function, fn, or a table, program", name)
  end
  local restart = child.restart or "always"
  if not RESTART[restart] then fault("%s: restart must be \"always\", \"on_failure\" or \"never\"", name) end
  local pauses = child.backoff or {}
  local least = number(pauses, "min", 0.1, name .. ": backoff.")
  return {
    name = name, what = child.fn or child.program, restart = restart, state = "new", started = 0,
    min = least, max = math.max(number(pauses, "max", 30, name .. ": backoff."), least),
    reset = number(child, "reset", 10, name .. ": "), restarts = number(child, "restarts", math.huge, name .. ": "),
  }
end

function Supervisor:tell(what, child, ...)
  if self.event then self.event(what, child.name, ...) end
end

-- Runs it once: whether it ended well, and after how long. Whatever ends this task, ends the process.
local function run_once(self, child)
  local process, problem = ipc.process(child.what)
  if not process then
    child.state = "failed"
    self:tell("ended", child, "error", problem)
    return false, 0
  end
  local _ <close> = process
  local since = ipc.now()
  child.process, child.state, child.started = process, "running", child.started + 1
  self:tell("started", child, process.pid)
  local ok, how, code = process:wait()
  child.process, child.state = nil, self.stopping and "stopped" or "ended"
  self:tell("ended", child, how, code)
  return ok, ipc.now() - since
end

local function due(self, child, ok)
  return not self.stopping and (child.restart == "always" or (child.restart == "on_failure" and not ok))
end

local function watch(self, child)
  local pause, row = child.min, 0
  while true do
    local ok, lasted = run_once(self, child)
    if not due(self, child, ok) then return end
    if lasted >= child.reset then pause, row = child.min, 0 end
    row = row + 1
    if row > child.restarts then
      child.state = "given up"
      return self:tell("given up", child)
    end
    child.state = "waiting"
    self:tell("restarting", child, pause)
    ipc.sleep(pause)
    pause = math.min(pause * 2, child.max)
  end
end

-- TERM, and KILL when the time has come.
local function stop_child(self, child, deadline)
  self:tell("stopping", child)
  if child.process then
    local process = child.process
    process:signal("TERM")
    if process:wait(math.max(deadline - ipc.now(), 0)) == nil and child.process then
      local _, why = process:wait(0)
      if why == "timeout" then process:signal("KILL") end
    end
  elseif child.task:status() ~= "done" then
    child.task:cancel() -- it waits to be started again
  end
  if child.task ~= ipc.current() then core.outlast(child.task) end -- its event function may be who stops all
  if child.state ~= "given up" and child.state ~= "ended" then child.state = "stopped" end
end

---Stops all, the last one first; none is started again. Waits until they have ended.
---@param grace? number seconds from TERM to KILL
function Supervisor:stop(grace)
  if self.stopping then return end
  self.stopping = true
  local deadline = ipc.now() + (grace or self.grace)
  for i = #self.children, 1, -1 do
    if self.children[i].task then stop_child(self, self.children[i], deadline) end
  end
end

---Starts the children and looks after them. Waits until all have ended for good, or have been stopped.
---@return "ended"|"stopped" how
---@return ipc.SignalInfo? signal that stopped them
function Supervisor:run()
  if self.running then error("supervisor runs already", 2) end
  self.running = true
  local trap <close> = ipc.signal_trap(table.unpack(self.signals))
  local info
  ipc.scope(function(scope)
    for _, child in ipairs(self.children) do child.task = scope:task(watch, self, child) end
    local all = scope:task(function()
      for _, child in ipairs(self.children) do child.task:join() end
    end)
    local which, what = ipc.select {ended = all, signal = trap}
    if which == "signal" then
      info = what
      self:stop()
    end
  end)
  self.running = false
  return self.stopping and "stopped" or "ended", info
end

---How the children are.
---@return {name: string, state: string, pid: integer?, started: integer}[]
function Supervisor:status()
  local list = {}
  for i, child in ipairs(self.children) do
    local pid = child.process and child.process.pid
    list[i] = {name = child.name, state = child.state, pid = pid, started = child.started}
  end
  return list
end

function Supervisor:__tostring()
  return ("ipc.Supervisor (%d children%s)"):format(#self.children, self.stopping and ", stopped" or "")
end

local supervisor = {}

---A supervisor of processes that do not run yet. Does not wait.
---@param options ipc.SupervisorOptions
---@return ipc.Supervisor
function supervisor.new(options)
  if type(options) ~= "table" or type(options.children) ~= "table" then
    error("supervisor: options must be a table with a list, children", 2)
  end
  local children = {}
  for i, child in ipairs(options.children) do children[i] = check_child(child, i) end
  local self = {children = children, grace = number(options, "grace", 5, ""), event = options.event,
    signals = options.signals or {"TERM", "INT"}}
  return setmetatable(self, Supervisor)
end

return supervisor
