-- SPDX-License-Identifier: MIT
-- What waiting for a queue of System V costs: a thread for each line of waiters; no system call while nothing comes.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local quiet = require "spec.support.quiet"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local sysv = engines.sysv

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

  it("takes no thread while nothing waits", function()
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

  it("takes one thread for all waits for the same", function()
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

  it("takes one thread for each queue and type, and one for the senders", function()
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
    assert.is_true(child:wait(PATIENCE)) -- what waits there is no hindrance
  end)

  it("makes no system call while nothing comes", function()
    local key = sysv.key()
    local calls, why = quiet(("queue_idle.lua %s %d %d"):format(key.path, key.project, sysv.key(key).project))
    if not calls then return pending(why) end
    assert.same({}, calls)
  end)
end)
