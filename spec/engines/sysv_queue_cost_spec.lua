-- SPDX-License-Identifier: MIT
-- What waiting for a queue of System V costs: a thread for each line of waiters, and no system call while nothing comes.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local sysv = engines[1]

-- how many threads the kernel knows of this process
local function tasks_of(pid)
  local pipe = assert(io.popen("ls /proc/" .. pid .. "/task | wc -l"))
  local count = pipe:read("n")
  pipe:close()
  return count
end

describe("waiting for a queue of System V #nosan", function()
  if sysv.missing then return pending(sysv.missing) end
  after_each(sysv.cleanup)

  local function queue() return assert(ipc.queue(sysv.key())) end

  -- fn in a forked child, which has no threads of other specs.
  local function apart(fn)
    return assert(ipc.process(function(channel)
      fn(channel)
      channel:send("done")
    end))
  end

  local function threads() return ipc.stats().threads end

  -- Long enough for the loop to have blocked, and for threads to wait in its place: nothing tells of that.
  local function sleep_in_kernel() ipc.sleep(0.005) end

  it("takes no thread while nobody waits", function()
    local q <close> = queue()
    local child <close> = apart(function(channel)
      for i = 1, 200 do
        q:send(1, i)
        assert(q:receive(1) == i)
        q:receive(2, 0)
      end
      ipc.sleep(0.001)
      channel:send(threads())
      channel:receive()
    end)
    assert.equal(0, child.channel:receive(PATIENCE))
    assert.equal(1, tasks_of(child.pid))
    child.channel:send("go on")
    assert.equal("done", child.channel:receive(PATIENCE))
  end)

  it("takes one thread for all who wait for the same", function()
    local q <close> = queue()
    local child <close> = apart(function(channel)
      local tasks = {}
      for i = 1, 50 do tasks[i] = waits.waiting(q.receive, q, 1) end
      sleep_in_kernel()
      channel:send(threads())
      channel:receive()
      for i = 1, 50 do
        q:send(1, i)
        assert(select(2, tasks[i]:join(PATIENCE)) == i)
      end
      for _ = 1, 3 do -- what is parked is used again
        local t = waits.waiting(q.receive, q, 1)
        sleep_in_kernel()
        t:cancel()
        t:join()
      end
      channel:send(threads())
    end)
    assert.equal(1, child.channel:receive(PATIENCE))
    assert.equal(2, tasks_of(child.pid)) -- with its own
    child.channel:send("go on")
    assert.equal(1, child.channel:receive(PATIENCE))
    assert.equal("done", child.channel:receive(PATIENCE))
    assert.is_true(child:wait(PATIENCE))
  end)

  it("takes one thread for each queue and type, and one for those who send", function()
    local q <close> = queue()
    local other <close> = queue()
    while other:send(1, ("x"):rep(1000), 0) do end
    local child <close> = apart(function(channel)
      for i = 1, 3 do
        for _ = 1, 5 do waits.waiting(q.receive, q, i):detach() end
        waits.waiting(other.receive, other, 5):detach()
        waits.waiting(other.send, other, 1, ("x"):rep(1000)):detach()
      end
      sleep_in_kernel()
      channel:send(threads())
      channel:receive()
    end)
    assert.equal(5, child.channel:receive(PATIENCE))
    assert.equal(6, tasks_of(child.pid))
    child.channel:send("end")
    assert.is_true(child:wait(PATIENCE)) -- whoever waits there is no hindrance
  end)

  it("makes no system call while nothing comes", function()
    local q <close> = queue()
    local full <close> = queue()
    while full:send(1, ("x"):rep(1000), 0) do end
    local child <close> = apart(function(channel)
      waits.waiting(q.receive, q, 1):detach()
      waits.waiting(q.receive, q, -5):detach()
      waits.waiting(full.send, full, 1, ("x"):rep(1000)):detach()
      waits.waiting(ipc.sleep, 1000):detach()
      channel:send("waiting")
      channel:receive()
    end)
    assert.equal("waiting", child.channel:receive(PATIENCE))
    sleep_in_kernel()
    local log = os.tmpname()
    os.execute(("timeout -s INT 0.4 strace -f -qq -o %s -p %d 2>/dev/null"):format(log, child.pid))
    local calls, seen = {}, {}
    for line in io.lines(log) do
      local name = line:match("^%d+%s+(%l[%w_]*)%(")
      calls[#calls + 1] = line:match("^%d+%s+.-%) += ") and line
      if name then seen[name] = (seen[name] or 0) + 1 end
    end
    os.remove(log)
    if not next(seen) then return pending("strace may not look at a process here") end
    assert.same({}, calls) -- none has come to its end
    assert.same({epoll_pwait2 = seen.epoll_pwait2, epoll_wait = seen.epoll_wait, msgrcv = 2, msgsnd = 1}, seen)
    q:send(1, "x") -- and it is still there
    child.channel:send("end")
    assert.equal("done", child.channel:receive(PATIENCE))
  end)
end)
