-- SPDX-License-Identifier: MIT
-- Wrong arguments of what is written in Lua were found by what it calls: "ipc:87: bad argument #1 to 'join'" for
-- ipc.timeout("soon", fn). An error names the call that the user wrote and its line, wherever it is found; and it says
-- what is wanted: ipc.signal() wants a signal's name or number, where it said "number expected".

local ipc = require "ipc"

local path <const> = os.tmpname()
teardown(function() os.remove(path) end)

local objects = {
  scope = ipc.scope(function(scope) return scope end),
  pool = require "ipc.pool".new {workers = 1},
  supervisor = require "ipc.supervisor".new {children = {}},
}
local env = setmetatable({ipc = ipc, path = path, pools = require "ipc.pool", supervisors = require "ipc.supervisor",
  a = {name = "a", program = {"true"}}}, {__index = objects})
for name, value in pairs(_G) do env[name] = value end

-- What is raised by a piece of the user's code. What rather waits than raise is cancelled after some turns.
local function raised(code, turns)
  local fn = assert(load(code, "=user", "t", env))
  local task = ipc.task(function() return select(2, pcall(function() fn() end)) end)
  for _ = 1, turns or 0 do ipc.yield() end
  if turns then task:cancel() end
  return select(2, task:join())
end

local function bad(arg, call, text) return ("bad argument #%d to '%s' (%s"):format(arg, call, text) end

-- code → what is said of it, after "user:1: "
local said = {
  ["ipc.scope()"] = bad(1, "scope", "function expected, got nil)"),
  ["ipc.scope({})"] = bad(1, "scope", "function expected, got table)"),
  ["ipc.timeout()"] = bad(2, "timeout", "function expected, got nil)"),
  ["ipc.timeout(1)"] = bad(2, "timeout", "function expected, got nil)"),
  ["ipc.timeout('soon', print)"] = bad(1, "timeout", "number expected, got string)"),
  ["ipc.timeout(-1, print)"] = bad(1, "timeout", "timeout must be seconds, not negative)"),
  ["ipc.timeout(0 / 0, print)"] = bad(1, "timeout", "timeout must be seconds, not NaN)"),
  ["pcall(error) ipc.timeout({}, 1)"] = bad(1, "timeout", "number expected, got table)"),
  ["ipc.scope(function(scope) scope:task() end)"] = bad(1, "task", "function expected, got nil)"),
  ["ipc.scope(function(scope) scope.task(print) end)"] =
    "calling 'task' on bad self (ipc.Scope expected, got function)",
  ["scope.cancel()"] = "calling 'cancel' on bad self (ipc.Scope expected, got nil)",
  ["scope:task(print)"] = "scope is closed",
  ["ipc.signal()"] = bad(1, "signal", "a signal's name or number expected, got no value)"),
  ["ipc.signal({})"] = bad(1, "signal", "a signal's name or number expected, got table)"),
  ["ipc.signal(1.5)"] = bad(1, "signal", "a signal's name or number expected, got number)"),
  ["ipc.signal('X')"] = bad(1, "signal", "no signal is named 'X')"),
  ["ipc.signal(0)"] = bad(1, "signal", "no signal has the number 0)"),
  ["ipc.signal_handler()"] = bad(1, "signal_handler", "a signal's name or number expected, got no value)"),
  ["ipc.signal_handler('KILL')"] = bad(1, "signal_handler", "SIGKILL cannot be caught or ignored)"),
  ["ipc.signal_trap()"] = bad(1, "signal_trap", "a signal's name or number expected, got no value)"),
  ["ipc.signal_trap({'INT', 'TERM'})"] = bad(1, "signal_trap", "a signal's name or number expected, got table)"),
  ["ipc.signal_trap('INT', 'STOP')"] = bad(2, "signal_trap", "SIGSTOP cannot be caught or ignored)"),
  ["ipc.signal('KILL'):handle(print)"] = "SIGKILL cannot be caught or ignored",
  ["ipc.signal('USR1'):dispatch('x')"] = bad(1, "dispatch", "pid must be an integer, got string)"),
  ["ipc.timer()"] = bad(1, "timer", "seconds or function expected, got no value)"),
  ["ipc.timer('1', print)"] = bad(1, "timer", "seconds or function expected, got string)"),
  ["ipc.after(print)"] = bad(1, "after", "number expected, got function)"),
  ["ipc.semaphore(ipc.private)"] = bad(2, "semaphore", "max must be an integer, got nil)"),
  ["ipc.semaphore(ipc.private, 1.5)"] = bad(2, "semaphore", "max must be an integer, got 1.5)"),
  ["ipc.shared_memory(ipc.private, {})"] = bad(2, "shared_memory", "slots must be an integer, got table)"),
  ["ipc.file_key(path, 256)"] = bad(2, "file_key", "project must be from 0 to 255, got 256)"),
  ["ipc.file_lock(path):acquire(0, 'share')"] = bad(2, "acquire", 'how must be "exclusive" or "shared")'),
  ["ipc.file_lock(path):acquire(0, 1)"] = bad(2, "acquire", 'how must be "exclusive" or "shared")'),
  ["ipc.queue(ipc.private):send('x', 1)"] = bad(1, "send", "type must be an integer, got string)"),
  ["ipc.process()"] = bad(1, "process", "function or table expected, got no value)"),

  -- found by what a half calls
  ["ipc.shared_data(ipc.private):update('n', function() return print end)"] =
    "cannot encode value: a function has no JSON form",
  ["local d = ipc.shared_data(ipc.private) d:update('n', function() d:close() return 1 end)"] =
    "shared data private is closed",
  ["local d = ipc.shared_data(ipc.private) d:set('n', 'x') d:add('n', 1)"] =
    "'n' of shared data private is a string, not a number",
  ["table.sort({3, 2, 1}, function() ipc.scope(print) end)"] = "cannot wait inside a callback",
  ["table.sort({3, 2, 1}, function() ipc.timeout(1, print) end)"] = "cannot wait inside a callback",
  ["table.sort({3, 2, 1}, function() supervisors.new{children = {}}:run() end)"] = "cannot wait inside a callback",

  ["pools.new(false)"] = "pool: options must be a table, got boolean",
  ["pools.new(2)"] = "pool: options must be a table, got number",
  ["pools.new{wrokers = 2}"] = "pool: unknown option 'wrokers'; it knows attempts, codec, max_message, workers",
  ["pools.new{2}"] = "pool: unknown option '1'; it knows",
  ["pools.new{workers = 0}"] = "pool: workers must be an integer from 1 to 10000",
  ["pools.new{attempts = false}"] = "pool: attempts must be an integer from 1 to 10000",
  ["pools.new{codec = false}"] = "pool: codec must be \"json\"",
  ["pools.new{max_message = 1}"] = "pool: max_message must be an integer of at least 2048 bytes",
  ["pool.map({}, print)"] = "calling 'map' on bad self (ipc.Pool expected, got table)",
  ["pool.submit(print)"] = "calling 'submit' on bad self (ipc.Pool expected, got function)",
  ["pool.close()"] = "calling 'close' on bad self (ipc.Pool expected, got nil)",
  ["pool:map(7, print)"] = "pool:map: items must be a list, got number",
  ["pool:map({}, 7)"] = "pool:map: fn must be a function, got number",
  ["pool:map({}, print, 7)"] = "pool:map: options must be a table, got number",
  ["pool:map({}, print, {progres = print})"] = "pool:map: unknown option 'progres'; it knows died, failed, progress",
  ["pool:map({}, print, {died = 7})"] = "pool:map: died must be a function, got number",
  ["pool:submit(7)"] = "pool:submit: fn must be a function, got number",

  ["supervisors.new()"] = "supervisor: options must be a table with a list, children",
  ["supervisors.new{children = {}, sinals = {}}"] =
    "supervisor: unknown option 'sinals'; it knows children, event, grace, signals",
  ["supervisors.new{children = {web = a}}"] = "supervisor: children must be a list without holes",
  ["supervisors.new{children = {a, 7}}"] = "supervisor: children[2] must be a table, got number",
  ["supervisors.new{children = {{name = 'b', program = {'true'}, backoff = {least = 1}}}}"] =
    "supervisor: b: unknown option 'backoff.least'; it knows max, min",
  ["supervisors.new{children = {}, signals = {'X'}}"] = "supervisor: signals[1]: no signal is X",
  ["supervisors.new{children = {}, signals = {'KILL'}}"] = "supervisor: signals[1]: SIGKILL cannot be caught",
  ["supervisors.new{children = {}, signals = {TERM = true}}"] = "supervisor: signals must be a list without holes",
  ["supervisors.new{children = {{name = 'b', program = {'true', stdot = 1}}}}:run()"] =
    "supervisor: b: unknown option 'stdot'; it knows ",
  ["supervisor.run()"] = "calling 'run' on bad self (ipc.Supervisor expected, got nil)",
  ["supervisor.status({})"] = "calling 'status' on bad self (ipc.Supervisor expected, got table)",
  ["supervisor:stop('now')"] = "supervisor: grace must be a number, 0 or more",
}

describe("a wrong argument", function()
  for code, text in pairs(said) do
    it("is told at its line: " .. code, function()
      local why = raised(code)
      assert.equal("string", type(why), tostring(why))
      local start <const> = "user:1: " .. text
      assert.equal(start, why:sub(1, #start))
    end)
  end

  it("is told at the line that called through pcall, or from another half", function()
    local why = select(2, raised("return pcall(pools.new, {workers = 0})"))
    assert.is_nil(why)
    why = select(2, load("return pcall(pools.new, {workers = 0})", "=user", "t", env)())
    assert.matches("^user:1: pool: workers", why)
  end)
end)

-- Whatever there is, now and later: a thread is right for none of it.
describe("a thread as an argument", function()
  local wrong <const> = coroutine.create(print)
  env.wrong = wrong
  -- these take no arguments, or pass theirs on
  local skipped = {close = true, remove = true, run = true, yield = true, dispatch = true}

  local function tried(code)
    local why = raised(code, 5)
    if type(why) ~= "string" then return end
    assert.matches("^user:1: ", why, code)
    assert.is_nil(why:find("attempt to", 1, true), why)
  end

  it("is told at the user's line by every function", function()
    for name, fn in pairs(ipc) do
      if type(fn) == "function" and not skipped[name] then
        tried(("ipc.%s(wrong)"):format(name))
        tried(("ipc.%s(wrong, wrong, wrong)"):format(name))
        tried(("ipc.%s({wrong})"):format(name))
      end
    end
  end)

  it("is told at the user's line by every method", function()
    local a, b = ipc.stream_channel_pair()
    local file <close> = assert(io.open(path))
    assert(file and b)
    local hub = ipc.multi_stream_channel()
    for name, object in pairs {
      task = ipc.task(ipc.sleep, 100), timer = ipc.timer(100), signal = ipc.signal("USR1"), channel = a, hub = hub,
      handler = ipc.signal_handler("USR1"), trap = ipc.signal_trap("USR2"), key = ipc.private,
      semaphore = ipc.semaphore(ipc.private, 1), mutex = ipc.mutex(ipc.private), file_lock = ipc.file_lock(path),
      queue = ipc.queue(ipc.private), memory = ipc.shared_memory(ipc.private, 1), data = ipc.shared_data(ipc.private),
      child = ipc.process {"true"}, pool = objects.pool, supervisor = objects.supervisor, scope = objects.scope,
    } do
      objects[name] = object
      local meta = debug.getmetatable(object)
      local methods = meta.__methods or meta.__index
      for method in pairs(methods) do
        if not method:match("^_") and not skipped[method] then
          tried(("%s.%s()"):format(name, method))
          tried(("%s.%s(wrong)"):format(name, method))
          tried(("%s.%s({})"):format(name, method))
          tried(("%s:%s(wrong)"):format(name, method))
          tried(("%s:%s(wrong, wrong, wrong)"):format(name, method))
          tried(("%s:%s(1, wrong)"):format(name, method))
        end
      end
      if methods.cancel then object:cancel() end
      if methods.close then object:close() end
    end
  end)
end)
