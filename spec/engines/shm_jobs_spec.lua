-- SPDX-License-Identifier: MIT
-- Jobs in shared memory: the slots of the processes that hold them, which others may have damaged; and what wakes a
-- process without a sender. What all engines promise is in spec/contract.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local processes = require "spec.support.processes"
local segment = require "spec.support.segment"
local waits = require "spec.support.waits"

local PATIENCE <const>, EUSERS <const> = waits.PATIENCE, 87
local shm = engines.shm

describe("a job in shared memory", function()
  local key
  before_each(function() key = shm.key() end)
  after_each(shm.cleanup)

  local function open(options)
    options = options or {}
    options.codec = "raw"
    return assert(ipc.queue(key, options))
  end

  -- A child that does this with a queue of its own, says that it has, and stays.
  local function child(act, options)
    local c = assert(ipc.process(function(channel)
      local q <const> = open(options)
      local kept = act(q)
      channel:send(kept and "ready" or "nothing")
      channel:receive()
      if kept ~= true then kept:close() end
    end))
    assert.equal("ready", c.channel:receive(PATIENCE))
    return c
  end
  local function take(q) return q:take(0, PATIENCE) end
  local function kill(c)
    c:signal("KILL")
    c:wait(PATIENCE)
    c:close()
  end

  -- The slot that the only holder has: what is written there is another's.
  local function write_holder(pid, start)
    local bytes = segment.read("queue", key)
    local at = segment.holders(bytes)
    local file <close> = assert(io.open(segment.path("queue", key), "r+b"))
    file:seek("set", at)
    local _, count, old = ("<I4I4I8"):unpack(bytes, at + 1)
    file:write(("<I4I4I8"):pack(pid, count, start or old))
  end

  it("stays taken while its slot names a living stranger, and is free when that has ended", function()
    local q <close> = open()
    q:send(1, "x")
    local holder = child(take)
    local stranger = child(function() return true end)
    write_holder(stranger.pid, 0) -- its start is not known
    kill(holder)
    assert.equal(1, q:stat().taken)
    assert.is_nil(q:take(0, 0))
    local t = ipc.task(function() return q:take(0, PATIENCE).message end)
    waits.settle()
    assert.same({nil, "timeout"}, {t:join(0.05)})
    kill(stranger)
    assert.same({true, "x"}, {t:join(PATIENCE)})
  end)

  it("stays taken while its slot names a living stranger by its start, too, and others go on", function()
    local q <close> = open()
    q:send(1, "x")
    q:send(1, "y")
    local holder = child(take)
    local stranger = child(take)
    local bytes = segment.read("queue", key)
    local pid, _, start = ("<I4I4I8"):unpack(bytes, segment.holders(bytes) + 16 + 1)
    assert.equal(stranger.pid, pid)
    write_holder(pid, start)
    kill(holder)
    assert.same({0, 2}, {#q, q:stat().taken})
    local t = ipc.task(function()
      local job <close> = q:take(0, PATIENCE)
      return job:done() and job.message
    end)
    waits.settle()
    assert.is_true(q:send(1, "z"))
    assert.same({true, "z"}, {t:join(PATIENCE)})
    kill(stranger)
    for _, text in ipairs{"x", "y"} do
      local job <close> = assert(q:take(0, PATIENCE))
      assert.same({text, 1}, {job.message, job.deaths})
      job:done()
    end
  end)

  it("is free when its slot names a process that started at another time: the pid is another's now", function()
    local q <close> = open()
    q:send(1, "x")
    local holder <close> = child(take)
    write_holder(holder.pid, 12345)
    local job <close> = assert(q:take(0, 0))
    assert.same({"x", 1}, {job.message, job.deaths})
    job:done()
  end)

  it("is refused when more processes take than there are slots, with the number", function()
    local small = {capacity = 16}
    local q <close> = open(small)
    local holders = {}
    for i = 1, 4 do
      q:send(1, "x")
      holders[i] = child(function(own)
        take(own):done()
        return true
      end, small)
    end
    q:send(1, "x")
    local job, why, errno = q:take(0, 0)
    assert.is_nil(job)
    assert.matches("4 processes take jobs of it, and there is room for no more", why)
    assert.equal(EUSERS, errno)
    assert.equal(1, #q)
    kill(table.remove(holders))
    local mine <close> = assert(q:take(0, 0))
    mine:done()
    for _, holder in ipairs(holders) do holder:close() end
  end)

  local function sleeper()
    local c
    c = assert(ipc.process(function(channel)
      local q <const> = open()
      channel:send "begins"
      local job = q:take(0, PATIENCE)
      channel:send(job and job.message or "nothing")
      if job then job:done() end
    end))
    c.channel:receive(PATIENCE)
    processes.await(function() return segment.waiters("queue", key)[c.pid] == "waiting" end, "it does not sleep")
    processes.await(function() return processes.state(c.pid) == "S" end, "it does not sleep")
    return c
  end

  it("that is due earlier wakes a process that waits for a later one; idle, it does not wake at all", function()
    local q <close> = open()
    for i = 1, 1000 do q:send(1, "late", nil, {after = 1000 + i % 7}) end
    local c <close> = sleeper()
    local slept = processes.sleeps(c.pid)
    ipc.sleep(0.05)
    assert.equal(slept, processes.sleeps(c.pid))
    q:send(1, "soon", nil, {after = 0.02})
    assert.equal("soon", c.channel:receive(PATIENCE))
  end)

  -- True: it came to an end before the job was due, so that the second one had to take it.
  local function second_takes(signal)
    local q <close> = open()
    local first <close> = sleeper()
    local second <close> = sleeper()
    q:send(1, "soon", nil, {after = 0.1})
    first:signal(signal)
    processes.await(function() return processes.state(first.pid) ~= "S" end, "it goes on")
    local in_time = #segment.jobs(segment.read("queue", key), "delayed") == 1
    if in_time then assert.equal("soon", second.channel:receive(PATIENCE)) end
    first:signal("KILL")
    second:signal("KILL")
    q:remove()
    return in_time
  end

  it("that is due is taken by the second of those that wait, if the first is stopped or dies", function()
    for _, signal in ipairs{"STOP", "KILL"} do
      processes.await(function() return second_takes(signal) end, "it is never in time")
    end
  end)
end)
