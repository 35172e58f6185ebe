-- SPDX-License-Identifier: MIT
-- A sender that was killed right after its send left its message to the one process that it had called. If that
-- computed, or was stopped, the message lay there until the next event, beside other processes that waited for it. A
-- process that computes counted as asleep, since a helper thread of it slept. Now the loop says so while it does
-- something else, and those processes are not called; and one of those that sleep watches what calls.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local processes = require "spec.support.processes"
local segment = require "spec.support.segment"
local waits = require "spec.support.waits"

local await, state = processes.await, processes.state
local shm = engines.shm
local PATIENCE <const> = waits.PATIENCE

local function kill_self()
  ipc.signal("KILL"):dispatch(ipc.pid())
  ipc.sleep(PATIENCE)
end

describe("a message in shared memory whose sender is killed", function()
  local key, q, flags, children
  before_each(function()
    key, children = shm.key(), {}
    q, flags = assert(ipc.queue(key)), assert(ipc.shared_memory(ipc.private, 1))
  end)
  after_each(function()
    flags[0] = 1
    for _, child in ipairs(children) do
      child:signal("KILL")
      child:close()
    end
    q:remove()
    shm.cleanup()
  end)

  local function is_listed(pid) return segment.waiters("queue", key)[pid] == "waiting" end

  local function child(fn)
    local c = assert(ipc.process(fn))
    children[#children + 1] = c
    return c
  end

  -- It waits for a message, for one of a channel, too; then it computes.
  local function busy()
    local c = child(function(channel)
      local own = assert(ipc.queue(key))
      ipc.task(function() own:receive() end)
      ipc.task(function() channel:receive() end)
      repeat ipc.sleep(0.001) until is_listed(ipc.pid())
      channel:send("busy")
      while flags[0] == 0 do end
    end)
    assert.equal("busy", c.channel:receive(PATIENCE))
  end

  local function idle()
    local c = child(function(channel)
      local own = assert(ipc.queue(key))
      channel:send(own:receive())
    end)
    await(function() return is_listed(c.pid) and state(c.pid) == "S" end, "it does not wait")
    return c
  end

  local function stopped()
    local c = idle()
    c:signal("STOP")
    await(function() return state(c.pid) == "T" end, "it does not stop")
  end

  for what, order in pairs{
    ["the others compute"] = {busy, busy, busy, idle}, ["a later one computes"] = {idle, busy},
    ["two compute"] = {busy, idle, busy}, ["a later one is stopped"] = {idle, stopped},
    ["all but one are stopped"] = {stopped, idle, stopped},
  } do
    it("is received at once by one that sleeps: " .. what, function()
      local one
      for _, make in ipairs(order) do one = make() or one end
      local sender = child(function(channel)
        local own = assert(ipc.queue(key))
        channel:receive()
        own:send(1, "there")
        kill_self()
      end)
      sender.channel:send("go on")
      assert.equal("there", one.channel:receive(PATIENCE))
      sender:wait()
    end)
  end
end)
