-- SPDX-License-Identifier: MIT
-- require "ipc.pool": jobs on several processes. A worker is forked when there is work, so it knows the function and
-- everything that the function sees; what travels is a number to the worker and a result back. A worker that dies is
-- replaced, and the job that it died over is done again.

local ipc, core = ...

-- A worker that has been quick gets its next job before it is done with the one it has, so that it need not wait for
-- it; not when few are left, which others could begin at once.
local QUICK <const> = 0.001

-- Whatever cannot be sent, so much can be said about it.
local ALWAYS_FITS <const> = 1024

---@class ipc.PoolOptions
---@field workers? integer processes at a time; as many as there are CPUs by default
---@field attempts? integer workers that one job may take down, 2 by default
---@field codec? "lua"|"json"|ipc.Codec for the results, "lua" by default
---@field max_message? integer bytes of a result, at least 2048, 16 MiB by default

---@class ipc.MapOptions
---@field progress? fun(done: integer, total: integer, index: integer, value: any) called for each result, as they come
---@field died? fun(item: any, how: "exit"|"signal", code: integer, again: boolean) a worker died over an item
---@field failed? fun(item: any, problem: string): any takes the place of the result; without it map raises

---@class ipc.Pool
---@field workers integer
local Pool = {}
Pool.__index = Pool
Pool.__name = "ipc.Pool"

local function check(condition, text, ...)
  if not condition then core.fail(text:format(...)) end
end

-- A copy of the options, which has only these names.
local function check_options(options, names, call)
  if options == nil then options = {} end
  check(type(options) == "table", "%s: options must be a table, got %s", call, type(options))
  local copy, unknown = core.options(options, names)
  check(copy, "%s: %s", call, unknown)
  return copy
end

local function check_self(pool, call)
  check(getmetatable(pool) == Pool, "calling '%s' on bad self (ipc.Pool expected, got %s)", call, type(pool))
end

local function own(pool, call)
  check_self(pool, call)
  check(not pool.foreign, "pool belongs to the process that made it")
  check(not pool.closed, "pool is closed")
end

-- The job's part of the traceback: what is below it is ours.
local function describe(err)
  if err == ipc.cancelled then err = tostring(err) end -- it means nothing to another process
  if type(err) ~= "string" then return err end
  local trace = core.trace(err)
  return trace:sub(1, (trace:find("\n\t[C]: in function 'xpcall'\n\tipc.pool:", #err + 1, true) or 0) - 1)
end

-- What a job came to, as a list, or if there are nils among it as a table of names: any codec can carry these.
local function pack(ok, ...)
  local reply, count, whole = {ok, ...}, select("#", ...), true
  for i = 1, count do whole = whole and reply[i + 1] ~= nil end
  if whole then return reply end
  local named = {ok = ok, count = count}
  for i = 1, count do named["value" .. i] = reply[i + 1] end
  return named
end

local function unpack(reply)
  if not reply.count then return table.unpack(reply) end
  local values = {}
  for i = 1, reply.count do values[i] = reply["value" .. i] end
  return reply.ok, table.unpack(values, 1, reply.count)
end

-- What a codec says of a reply, as it is true of the values in it.
local function about_values(why)
  if type(why) ~= "string" then return why end
  why = why:gsub("message%[(%d+)%]", function(n) return "value " .. n - 1 end, 1)
  return (why:gsub("message%.value(%d+)", "value %1", 1))
end

-- In the worker: does a job, and says what came of it. If that cannot be carried, or is too large, it says so: nothing
-- at all would have the other end wait for ever.
local function answer(channel, fn, ...)
  local reply = pack(xpcall(fn, describe, ...))
  local carried, sent, why = pcall(channel.send, channel, reply)
  if sent == true or why == "closed" then return end
  local ok, problem = unpack(reply)
  if ok or type(problem) ~= "string" then
    problem = ("its %s cannot be sent: %s"):format(ok and "result" or "error", carried and why or about_values(sent))
  end
  assert(channel:send {false, problem:sub(1, ALWAYS_FITS)})
end

local function unread(problem)
  return {false, "its result cannot be received: " .. problem}
end

local Worker = {}
Worker.__index = Worker

function Worker:__close()
  self.child:close()
  self.channel:close()
  self.pool.channels[self.channel] = nil
end

-- A process that runs serve(channel). It has no channel but its own, so that each sees the end of its own.
local function fork(pool, where, serve)
  local ours, theirs = assert(ipc.stream_channel_pair {codec = pool.codec, max_message = pool.max_message})
  local child, problem = ipc.process(function(unused)
    pool.foreign = true
    unused:close()
    ours:close()
    for other in pairs(pool.channels) do other:close() end
    ipc.signal("INT"):ignore() -- Ctrl-C reaches the whole group; the program that has the pool ends its workers
    serve(theirs)
  end)
  theirs:close()
  if not child then
    ours:close()
    core.raise(where .. "pool: " .. problem)
  end
  child.channel:close()
  local worker = setmetatable({pool = pool, child = child, channel = ours}, Worker)
  pool.channels[ours] = worker
  return worker
end

-- map ----------------------------------------------------------------------------------------------

local MAP_OPTIONS <const> = {"died", "failed", "progress"}

local Map = {}
Map.__index = Map

function Map:next()
  local index = table.remove(self.again) or self.last + 1
  if index > #self.items then return nil end
  self.last = math.max(self.last, index)
  return index
end

function Map:settle(index, value)
  self.results[index] = value
  self.done = self.done + 1
  if self.options.progress then self.options.progress(self.done, #self.items, index, value) end
end

function Map:fail(index, problem)
  local failed = self.options.failed
  if failed then return self:settle(index, failed(self.items[index], problem)) end
  if problem == nil or type(problem) == "string" then problem = ("item %d: %s"):format(index, problem) end
  self.problem = problem
  core.raise(problem)
end

-- The first of them is the one that it died over; the others it had not begun.
function Map:lost(worker, jobs)
  local _, how, code = worker.child:wait()
  local index = jobs[1]
  local tries = (self.tries[index] or 0) + 1
  local again = tries < self.pool.attempts
  self.tries[index] = tries
  table.move(jobs, again and 1 or 2, #jobs, #self.again + 1, self.again)
  if self.options.died then self.options.died(self.items[index], how, code, again) end
  if not again then self:fail(index, ("its worker died (%s %s)"):format(how, code)) end
end

-- Another job for a worker that has these?
function Map:more(jobs, quick)
  local many = #self.items - self.last > 2 * self.pool.workers
  return (#jobs == 0 or (#jobs == 1 and quick and many)) and self:next() or nil
end

-- One worker's life: until there is no job left, or it dies.
function Map:serve(index)
  local worker <close> = fork(self.pool, self.where, function(channel)
    for job in channel:messages() do answer(channel, self.fn, self.items[job]) end
  end)
  local jobs, quick = {}, false
  repeat
    while index do
      worker.channel:send(index) -- that it has died is seen below
      jobs[#jobs + 1] = index
      index = self:more(jobs, quick)
    end
    local since = ipc.now()
    local reply, problem = worker.channel:receive()
    if not reply and problem == "closed" then return self:lost(worker, jobs) end
    local job = table.remove(jobs, 1)
    quick = ipc.now() - since < QUICK
    index = self:more(jobs, quick)
    local ok, result = unpack(reply or unread(problem))
    if ok then self:settle(job, result) else self:fail(job, result) end
  until not index and not jobs[1]
end

local function supervise(map)
  for index in map.next, map do
    local _ <close> = map.pool.slots:hold()
    map:serve(index)
  end
end

---What fn returns for each item, in the order of the items. Waits; the items are shared out among the workers.
---@param items any[]
---@param fn fun(item: any): any runs in a worker
---@param options? ipc.MapOptions|fun(done: integer, total: integer, index: integer, value: any)
---@return any[] results
function Pool:map(items, fn, options)
  own(self, "map")
  check(type(items) == "table", "pool:map: items must be a list, got %s", type(items))
  check(type(fn) == "function", "pool:map: fn must be a function, got %s", type(fn))
  if type(options) == "function" then options = {progress = options} end
  options = check_options(options, MAP_OPTIONS, "pool:map")
  for _, name in ipairs(MAP_OPTIONS) do
    local value = options[name]
    check(value == nil or type(value) == "function", "pool:map: %s must be a function, got %s", name, type(value))
  end
  local map = setmetatable({pool = self, items = items, fn = fn, options = options, results = {}, tries = {},
    again = {}, last = 0, done = 0, where = core.where()}, Map)
  local done, err = pcall(ipc.scope, function(scope)
    self.scopes[scope] = true
    local _ <close> = setmetatable({}, {__close = function() self.scopes[scope] = nil end})
    local workers = {}
    for i = 1, math.min(self.workers, #items) do workers[i] = scope:task(supervise, map) end
    for _, worker in ipairs(workers) do worker:join() end
  end)
  if not done then
    if type(err) == "string" and err == map.problem then err = core.where(2) .. err end
    core.raise(err)
  end
  check(not self.closed, "pool is closed")
  return map.results
end

-- submit ---------------------------------------------------------------------------------------------

-- A reply; or nil and how it died.
local function try(pool, where, fn, arguments)
  local worker <close> = fork(pool, where, function(channel)
    answer(channel, fn, table.unpack(arguments, 1, arguments.n))
  end)
  local reply, problem = worker.channel:receive()
  if reply then return reply end
  if problem ~= "closed" then return unread(problem) end
  local _, how, code = worker.child:wait()
  return nil, ("its worker died (%s %s)"):format(how, code)
end

-- A join gets the error as it is; what is printed of a task that is not joined says which job it was.
local function fail(where, problem)
  core.raise(problem, type(problem) == "string" and where .. problem or nil)
end

local function finish(where, ok, ...)
  if not ok then fail(where, ...) end
  return ...
end

local function job(pool, where, fn, arguments)
  local _ <close> = pool.slots:hold()
  local problem
  for _ = 1, pool.attempts do
    local reply, died = try(pool, where, fn, arguments)
    if reply then return finish(where, unpack(reply)) end
    problem = died
  end
  fail(where, problem)
end

---Runs fn(...) in a worker when one is free. Does not wait.
---@param fn function
---@return ipc.Task task to be joined for the results
function Pool:submit(fn, ...)
  own(self, "submit")
  check(type(fn) == "function", "pool:submit: fn must be a function, got %s", type(fn))
  local task
  local where = core.where()
  task = ipc.task(function(arguments)
    local _ <close> = setmetatable({}, {__close = function() self.tasks[task] = nil end})
    return job(self, where, fn, arguments)
  end, table.pack(...))
  self.tasks[task] = true
  return task
end

-- The pool -------------------------------------------------------------------------------------------

---Ends the workers, by TERM and then KILL; a wait for results gets an error. Waits until they have ended.
function Pool:close()
  check_self(self, "close")
  if self.closed or self.foreign then return end
  self.closed = true
  for scope in pairs(self.scopes) do scope:cancel() end
  for task in pairs(self.tasks) do task:cancel() end
  local children = {}
  for _, worker in pairs(self.channels) do children[#children + 1] = worker.child end
  for _, child in ipairs(children) do child:signal("TERM") end
  for _, child in ipairs(children) do child:close() end
  for task in pairs(self.tasks) do core.outlast(task) end
  self.slots:close()
end

Pool.__close = Pool.close

function Pool:__tostring()
  return ("ipc.Pool (%s)"):format(self.closed and "closed" or self.workers .. " workers")
end

local function processors()
  local pipe = io.popen("nproc 2>/dev/null")
  local count = pipe and pipe:read("n")
  if pipe then pipe:close() end
  return math.tointeger(count) or 1
end

local function check_count(options, name)
  local value = options[name]
  check(value == nil or (math.type(value) == "integer" and value >= 1 and value <= 10000),
    "pool: %s must be an integer from 1 to 10000", name)
  return value
end

-- The channels of the workers will have these; one is made in order that what is wrong is said now.
local function check_channel(codec, max_message)
  check(max_message == nil or (math.type(max_message) == "integer" and max_message >= 2 * ALWAYS_FITS),
    "pool: max_message must be an integer of at least %d bytes", 2 * ALWAYS_FITS)
  check(codec ~= "raw", "pool: codec \"raw\" carries strings only")
  local made, a, b = pcall(ipc.stream_channel_pair, {codec = codec, max_message = max_message})
  check(made, "pool: %s", made or tostring(a):match("%((.*)%)$") or tostring(a))
  if not a then return end
  a:close()
  b:close()
end

local POOL_OPTIONS <const> = {"attempts", "codec", "max_message", "workers"}

local pool = {}

---A pool without workers so far. Does not wait.
---@param options? ipc.PoolOptions
---@return ipc.Pool?, string? message, integer? errno
function pool.new(options)
  options = check_options(options, POOL_OPTIONS, "pool")
  local codec = options.codec == nil and "lua" or options.codec
  check_channel(codec, options.max_message)
  local workers, attempts = check_count(options, "workers"), check_count(options, "attempts")
  workers = workers or processors()
  local slots, message, errno = ipc.semaphore(ipc.private, workers)
  if not slots then return nil, message, errno end
  return setmetatable({
    workers = workers, attempts = attempts or 2, codec = codec,
    max_message = options.max_message, slots = slots, channels = {}, scopes = {}, tasks = {},
  }, Pool)
end

return pool
