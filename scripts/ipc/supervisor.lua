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
local OPTIONS <const> = {children = "table", event = "function", grace = "number", signals = "table"}
local CHILD <const> = {backoff = "table", fn = "function", name = "string", program = "table", reset = "number",
  restart = "string", restarts = "number"}
local BACKOFF <const> = {max = "number", min = "number"}

local function fault(text, ...) core.fail("supervisor: " .. text:format(...)) end

local function names_of(known)
  local names = {}
  for name in pairs(known) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- A copy with only names that `known` has, and values of its types; no number is negative. `of`, `where`: for what is
-- said.
local function check(options, known, of, where)
  local copy, unknown = core.options(options, names_of(known), where)
  if not copy then fault("%s%s", of, unknown) end
  for name, value in pairs(copy) do
    local expected = known[name]
    if expected == "number" and not (type(value) == "number" and value >= 0) then
      fault("%s%s%s must be a number, 0 or more", of, where, name)
    elseif type(value) ~= expected then
      fault("%s%s%s must be a %s, got %s", of, where, name, expected, type(value))
    end
  end
  return copy
end

-- What has other keys than 1 to n would be read in part.
local function check_list(list, what)
  local n = 0
  for _ in pairs(list) do n = n + 1 end
  if n ~= #list then fault("%s must be a list without holes", what) end
end

local function check_child(child, i)
  if type(child) ~= "table" then fault("children[%d] must be a table, got %s", i, type(child)) end
  if type(child.name) ~= "string" then fault("children[%d].name must be a string", i) end
  child = check(child, CHILD, child.name .. ": ", "")
  local name = child.name
  if (child.fn == nil) == (child.program == nil) then
    fault("%s needs either fn, a function, or program, a table", name)
  end
  local restart, pauses = child.restart or "always", child.backoff or {}
  if not RESTART[restart] then fault("%s: restart must be \"always\", \"on_failure\" or \"never\"", name) end
  pauses = check(pauses, BACKOFF, name .. ": ", "backoff.")
  local least = pauses.min or 0.1
  return {
    name = name, fn = child.fn, program = child.program, restart = restart, state = "new", started = 0,
    min = least, max = math.max(pauses.max or 30, least), reset = child.reset or 10,
    restarts = child.restarts or math.huge,
  }
end

local function check_self(self, call)
  if getmetatable(self) ~= Supervisor then
    core.fail(("calling '%s' on bad self (ipc.Supervisor expected, got %s)"):format(call, type(self)))
  end
end

local function own(self, call)
  check_self(self, call)
  if self.foreign then core.fail("supervisor belongs to the process that made it") end
end

local function tell(self, what, child, ...)
  if self.event then self.event(what, child.name, ...) end
end

-- What is wrong with a program's table is seen when it is started; then the line that called run is at fault.
local function start(self, child)
  local checked, process, problem = pcall(ipc.process, child.program or function(channel)
    self.foreign = true
    child.fn(channel)
  end)
  if checked then return process, problem end
  core.raise(("%ssupervisor: %s: %s"):format(self.where, child.name, tostring(process):match("%((.*)%)$") or process))
end

-- Runs it once: whether it ended well, and after how long. Whatever ends this task, ends the process.
local function run_once(self, child)
  local process, problem = start(self, child)
  if not process then
    child.state = "failed"
    tell(self, "ended", child, "error", problem)
    return false, 0
  end
  local _ <close> = setmetatable({}, {__close = function()
    process:close()
    child.process = nil
    if child.state == "running" then child.state = "stopped" end
  end})
  local since = ipc.now()
  child.process, child.state, child.started = process, "running", child.started + 1
  tell(self, "started", child, process.pid)
  local ok, how, code = process:wait()
  child.process, child.state = nil, self.stopping and "stopped" or "ended"
  tell(self, "ended", child, how, code)
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
      return tell(self, "given up", child)
    end
    child.state = "waiting"
    tell(self, "restarting", child, pause)
    ipc.sleep(pause)
    pause = math.min(pause * 2, child.max)
  end
end

-- TERM, and KILL when the time has come. Of several calls that stop it, the shortest grace time counts.
local function stop_child(self, child, deadline)
  local process, told = child.process, child.told or child.task:status() == "done"
  child.told = true
  if not told then tell(self, "stopping", child) end
  if process then
    if not told then process:signal("TERM") end
    local _, why = process:wait(math.max(deadline - ipc.now(), 0))
    if why == "timeout" then process:signal("KILL") end
  else
    child.task:cancel() -- it waits to be started again, or has ended
  end
  if child.task ~= ipc.current() then core.outlast(child.task) end -- it may be its event function that stops all
  if child.state == "waiting" or child.state == "running" then child.state = "stopped" end
end

---Stops all, the last one first; none is started again. Waits until they have ended.
---@param grace? number seconds from TERM to KILL
function Supervisor:stop(grace)
  own(self, "stop")
  if grace ~= nil and not (type(grace) == "number" and grace >= 0) then fault("grace must be a number, 0 or more") end
  if not self.running then return end
  self.stopping = true
  local deadline = ipc.now() + (grace or self.grace)
  for i = #self.children, 1, -1 do
    if self.children[i].task then stop_child(self, self.children[i], deadline) end
  end
end

-- Until all have ended, or a signal has come and they have been stopped; returns its information.
local function look_after(self, trap)
  return ipc.scope(function(scope)
    if self.stopping then return nil end -- before anything was started
    for _, child in ipairs(self.children) do child.task = scope:task(watch, self, child) end
    local all = scope:task(function()
      for _, child in ipairs(self.children) do child.task:join() end
    end)
    local which, info = ipc.select {ended = all, signal = trap}
    if which ~= "signal" then return nil end
    self:stop()
    return info
  end)
end

---Starts the children and looks after them. Waits until all have ended for good, or have been stopped.
---@return "ended"|"stopped" how
---@return ipc.SignalInfo? signal that stopped them
function Supervisor:run()
  own(self, "run")
  if self.running then core.fail("supervisor runs already") end
  self.running, self.stopping, self.where = true, false, core.where()
  for _, child in ipairs(self.children) do
    child.task, child.told, child.state, child.started = nil, nil, "new", 0
  end
  local _ <close> = setmetatable({}, {__close = function() self.running = false end})
  local trap <close> = self.signals[1] and ipc.signal_trap(table.unpack(self.signals))
  local info = look_after(self, trap)
  return self.stopping and "stopped" or "ended", info
end

---How the children are.
---@return {name: string, state: string, pid: integer?, started: integer}[]
function Supervisor:status()
  check_self(self, "status")
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

local function check_signals(signals)
  check_list(signals, "signals")
  for i, name in ipairs(signals) do
    if not pcall(ipc.signal, name) then fault("signals[%d]: no signal is %s", i, tostring(name)) end
    local caught, why = pcall(ipc.signal_handler, name)
    if not caught then fault("signals[%d]: %s", i, why:match("%((.*)%)$") or why) end
  end
  return table.move(signals, 1, #signals, 1, {})
end

---A supervisor of processes that do not run yet. Does not wait.
---@param options ipc.SupervisorOptions
---@return ipc.Supervisor
function supervisor.new(options)
  if type(options) ~= "table" or type(options.children) ~= "table" then
    fault("options must be a table with a list, children")
  end
  options = check(options, OPTIONS, "", "")
  check_list(options.children, "children")
  local children = {}
  for i, child in ipairs(options.children) do children[i] = check_child(child, i) end
  return setmetatable({
    children = children, grace = options.grace or 5, event = options.event,
    signals = check_signals(options.signals or {"TERM", "INT"}),
  }, Supervisor)
end

return supervisor
