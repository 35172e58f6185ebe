-- SPDX-License-Identifier: MIT
-- Room in a queue in shared memory woke every process that waited to send: with 64 of them a message cost 40 times the
-- processor that it costs with one. It now calls the first one, and that calls the next one for what is left.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local processes = require "spec.support.processes"
local segment = require "spec.support.segment"
local waits = require "spec.support.waits"

local await, sleeps, state = processes.await, processes.sleeps, processes.state
local shm = engines.shm
local PATIENCE <const>, SENDERS <const>, CAPACITY <const> = waits.PATIENCE, 16, 1000

describe("processes that wait for room in shared memory", function()
  local key, q, children
  before_each(function()
    key, children = shm.key(), {}
    q = assert(ipc.queue(key, {codec = "raw", capacity = CAPACITY}))
  end)
  after_each(function()
    for _, child in ipairs(children) do
      child:signal("KILL")
      child:close()
    end
    q:remove()
    shm.cleanup()
  end)

  -- A child that sends so many messages of a size, and says so after each; it waits to send the first one by now.
  local function sender(size, count)
    local child = assert(ipc.process(function(channel)
      local own = assert(ipc.queue(key, {codec = "raw"}))
      for _ = 1, count or 1 do
        own:send(2, ("x"):rep(size))
        channel:send("sent")
      end
    end))
    children[#children + 1] = child
    await(function() return segment.senders(key)[child.pid] == "waiting" and state(child.pid) == "S" end,
      "it does not wait")
    return child
  end

  local function has_sent(child) return child.channel:receive(PATIENCE) == "sent" end

  it("are not all woken", function()
    for _ = 1, 10 do q:send(1, ("x"):rep(100)) end
    for _ = 1, SENDERS do sender(100, 100) end
    local function all()
      local sum = 0
      for _, child in ipairs(children) do sum = sum + sleeps(child.pid) end
      return sum
    end
    local before, messages = all(), 50
    local said = {}
    for i, child in ipairs(children) do said[i] = child.channel end
    for _ = 1, messages do
      q:receive()
      assert.equal("sent", select(2, ipc.select(said, PATIENCE)))
    end
    assert.is_true(all() - before < messages * SENDERS * 3 // 4)
  end)

  it("are served if they need less than the first one", function()
    q:send(1, ("x"):rep(100))
    q:send(1, ("x"):rep(900))
    local long, short, shorter = sender(500), sender(80), sender(15)
    q:receive()
    assert.is_true(has_sent(short) and has_sent(shorter))
    assert.is_nil(long.channel:receive(0))
    q:receive()
    assert.is_true(has_sent(long))
  end)

  it("are served all by as much room", function()
    q:send(1, ("x"):rep(CAPACITY))
    local list = {}
    for i = 1, 5 do list[i] = sender(100 + i) end
    q:receive()
    for _, child in ipairs(list) do assert.is_true(has_sent(child)) end
  end)

  for _, signal in ipairs{"STOP", "KILL"} do
    it("have it if the first one gets " .. signal .. ", and what made room is killed", function()
      q:send(1, ("x"):rep(CAPACITY))
      local first, second = sender(CAPACITY), sender(10)
      first:signal(signal)
      await(function() return state(first.pid) ~= "S" end)
      local receiver <close> = assert(ipc.process(function()
        assert(ipc.queue(key, {codec = "raw"})):receive()
        ipc.signal("KILL"):dispatch(ipc.pid())
        ipc.sleep(PATIENCE)
      end))
      assert.is_true(has_sent(second))
      receiver:wait()
    end)
  end

  it("have it if the first one gives up", function()
    q:send(1, ("x"):rep(100))
    q:send(1, ("x"):rep(900))
    local first = sender(50)
    sender(100)
    first:signal("STOP")
    await(function() return state(first.pid) == "T" end)
    q:receive()
    first:signal("KILL")
    assert.is_true(has_sent(children[2]))
  end)
end)
