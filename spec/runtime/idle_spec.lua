-- SPDX-License-Identifier: MIT
-- A program that waits makes no system call until something happens, whatever it waits for: no wake-ups to look
-- around, no ticks. Each program runs under strace, all at once, and has to be silent for a while.

local ipc = require "ipc"
local homes = require "spec.support.homes"

local SILENCE <const>, PATIENCE <const> = 0.4, 20

-- where a program may be when it waits: the loop, and a thread of the runtime for each System V object or file; the
-- host's loop waits for a single one itself
local LOOP <const> = "epoll_p?wait2?"

-- what is in memory that processes share: slept on as futexes, all by one call
local SHARED <const> = [[
    local q, m, full = ipc.queue(ipc.private), ipc.mutex(ipc.private), ipc.queue(ipc.private, {capacity = 100})
    local memory, other = ipc.shared_memory(ipc.private, 10), ipc.shared_memory(ipc.private, 10)
    m:acquire()
    full:send(1, ("x"):rep(90))
    ipc.task(function() q:receive() end)
    ipc.task(function() m:acquire(1000) end)
    ipc.task(function() full:send(1, ("x"):rep(90)) end)
    ipc.task(function() memory:wait(1, 0) end)
    ipc.task(function() ipc.select({{other, "wait", 2, 0}, q}) end)
]]

local programs = {
  {"a task that sleeps", "ipc.task(ipc.sleep, 1000)"},
  {"a thousand that sleep", "for i = 1, 1000 do ipc.task(ipc.sleep, 1000 + i) end"},
  {"the main chunk's sleep", "ready() ipc.sleep(1000)"},
  {"a channel", "local a, b = ipc.stream_channel_pair() ipc.task(function() b:receive() end) KEEP = a"},
  {"a channel with a timeout", [[local a, b = ipc.stream_channel_pair()
    ipc.task(function() b:receive(1000) end) KEEP = a]]},
  {"a trap and a signal", [[local trap, signal = ipc.signal_trap("USR1", "TERM"), ipc.signal("USR2")
    ipc.task(function() trap:wait() end)
    ipc.task(function() signal:wait(1000) end)]]},
  {"timers far off", [[ipc.timer(1000, print) ipc.after(2000, print)
    local t = ipc.timer(500)
    ipc.task(function() t:wait() end)]]},
  {"a join, a scope, a timeout", [[local t = ipc.task(ipc.sleep, 1000)
    ipc.task(function() t:join() end)
    ipc.task(function() ipc.scope(function(scope) scope:task(ipc.sleep, 1000) end) end)
    ipc.task(function() ipc.timeout(1000, ipc.sleep, 2000) end)]]},
  {"a select of everything", [[local a, b = ipc.stream_channel_pair()
    local cases = {b, ipc.timer(1000), ipc.signal_trap("USR1"), ipc.task(ipc.sleep, 1000)}
    ipc.task(function() ipc.select(cases, 1000) end) KEEP = a]]},
  {"a child that waits, too", [[local child = ipc.process(function(channel) channel:receive() end)
    ipc.task(function() child:wait() end)]]},
  {"after it was busy", [[local a, b = ipc.stream_channel_pair()
    local timer = ipc.timer(0.001, function() end)
    for i = 1, 200 do a:send(i) b:receive() ipc.sleep(0) end
    local start = ipc.now()
    while ipc.now() - start < 0.02 do end
    timer:stop()
    ipc.task(function() b:receive() end)]]},
  {"a semaphore", "local s = ipc.semaphore(key, 1) s:acquire() ipc.task(function() s:acquire() end)", "sem%l*op",
    alone = true},
  {"a queue", "local q = ipc.queue(key) ipc.task(function() q:receive() end)", "msgrcv", alone = true},
  {"a file lock", [[local mine, other = ipc.file_lock(path), ipc.file_lock(path)
    mine:acquire()
    ipc.task(function() other:acquire() end)]], "flock", alone = true},
  {"shared memory", SHARED, nil, "futex_waitv"},
  {"shared memory and a channel", SHARED .. [[
    local a, b = ipc.stream_channel_pair() ipc.task(function() b:receive() end) KEEP = a]], "futex_waitv"},
}

-- Every program says "ready" when it is about to wait for good; a task's wait comes after that.
local PROLOGUE <const> = [[
local path = %q
local key = assert(ipc.file_key(path))
local function ready() io.stdout:write("ready\n") io.stdout:flush() end
ipc.after(0, ready)
]]

local function read(path)
  local file = io.open(path)
  local text = file and file:read("a") or ""
  if file then file:close() end
  return text
end

local running = {}

local function start(home, program)
  local r = {trace = os.tmpname(), file = os.tmpname(), program = program}
  r.script = home.script(PROLOGUE:format(r.file) .. program[2])
  r.pipe = assert(io.popen(("exec strace -f -o %s sh -c 'echo $$; exec %s %s' 2>&1"):format(r.trace,
    home.command:gsub("'", "'\\''"), r.script)))
  running[#running + 1] = r
  return r
end

-- The last call of each thread or process in the trace, by its id.
local function last_calls(trace)
  local calls = {}
  for id, line in trace:gmatch("(%d+) +([^\n]+)") do
    if line:find("^%+%+%+ exited") then calls[id] = nil else calls[id] = line end
  end
  return calls
end

local function stop(r)
  os.execute("kill -KILL " .. r.pid)
  r.pipe:close()
  for _, path in ipairs{r.trace, r.script} do os.remove(path) end
end

-- Reads what it says up to "ready".
local function await_ready(r)
  local first = r.pipe:read("l")
  r.pid = assert(tonumber(first), first)
  local line = r.pipe:read("l")
  assert(line == "ready", line)
end

-- True when all have been silent for the same while.
local function all_silent()
  local sizes = {}
  for _, r in ipairs(running) do sizes[r] = #read(r.trace) end
  ipc.sleep(SILENCE) -- there is no event that says nothing happens
  local silent = true
  for _, r in ipairs(running) do
    r.silent = #read(r.trace) == sizes[r]
    silent = silent and r.silent
  end
  return silent
end

describe("an idle program #nosan", function()
  local by_name = {}

  setup(function()
    for _, home in ipairs(homes) do
      for _, program in ipairs(programs) do by_name[home.name .. program[1]] = start(home, program) end
    end
    for _, r in ipairs(running) do await_ready(r) end
    local deadline = ipc.now() + PATIENCE
    while not all_silent() and ipc.now() < deadline do end -- a slow machine may still be on the way to the wait
    for _, r in ipairs(running) do
      r.calls = last_calls(read(r.trace))
      r.tail = read(r.trace):sub(-800)
    end
  end)

  teardown(function()
    for _, r in ipairs(running) do
      stop(r)
      local key = ipc.file_key(r.file)
      local id = ("0x%x"):format(key.id & 0xffffffff)
      os.execute(("{ ipcrm -S %s; ipcrm -Q %s; } 2>/dev/null"):format(id, id))
      os.remove(r.file)
    end
  end)

  for _, home in ipairs(homes) do
    for _, program in ipairs(programs) do
      it("makes no system call while it waits for " .. program[1] .. ", in " .. home.name, function()
        local r = by_name[home.name .. program[1]]
        assert(r.silent, r.tail)
        local loops, others = 0, 0
        for _, call in pairs(r.calls) do
          if call:find("^" .. (program[4] or LOOP) .. "%(") then loops = loops + 1
          else
            assert(program[3] and call:find("^" .. program[3]), call)
            others = others + 1
          end
        end
        local itself = program.alone and home.name == "ipclua"
        assert.equal(itself and 0 or program[1]:find("^a child") and 2 or 1, loops, r.tail)
        assert.equal(program[3] and 1 or 0, others, r.tail)
      end)
    end
  end
end)
