-- SPDX-License-Identifier: MIT
-- Each message to a queue in shared memory woke every process that waited to receive, whatever its type: with 64 of
-- them a message cost 200 times the processor that it costs with one. It now calls the first process that wants it.

local ipc = require "ipc"
local processes = require "spec.support.processes"
local waits = require "spec.support.waits"

local sleeps = processes.sleeps
local CONSUMERS <const> = 16

describe("processes that wait for a message in shared memory", function()
  local key, q, children
  before_each(function()
    key = ipc.shm_key("spec.226." .. ipc.pid())
    q, children = assert(ipc.queue(key)), {}
  end)
  after_each(function()
    for _, child in ipairs(children) do child:close() end
    q:remove()
  end)

  -- A child that receives of a type again and again, and says what; it sleeps by now.
  local function consumer(type)
    local child = assert(ipc.process(function(channel)
      local own = assert(ipc.queue(key))
      channel:send("ready")
      while true do
        local n, got = own:receive(type)
        channel:send{n, got}
      end
    end))
    assert.equal("ready", child.channel:receive(waits.PATIENCE))
    local before
    repeat
      before = sleeps(child.pid)
      ipc.sleep(0.02)
    until sleeps(child.pid) == before
    children[#children + 1] = child
    return child
  end

  local function all_sleeps()
    local total = 0
    for _, child in ipairs(children) do total = total + sleeps(child.pid) end
    return total
  end

  -- What one of the children says next.
  local function said()
    local cases = {}
    for i, child in ipairs(children) do cases[i] = {child.channel, "receive"} end
    local _, message = ipc.select(cases, waits.PATIENCE)
    return message
  end

  it("are not all woken", function()
    for _ = 1, CONSUMERS do consumer(0) end
    local before, messages = all_sleeps(), 50
    for n = 1, messages do
      q:send(1, n)
      assert.same({n, 1}, said())
      ipc.sleep(0.001)
    end
    assert.is_true(all_sleeps() - before < messages * CONSUMERS * 3 // 4)
  end)

  it("sleep on if it is not for them", function()
    for i = 1, CONSUMERS do consumer(i) end
    local before = {}
    for i, child in ipairs(children) do before[i] = sleeps(child.pid) end
    for n = 1, 20 do
      q:send(3, n)
      assert.same({n, 3}, children[3].channel:receive(waits.PATIENCE))
    end
    for i, child in ipairs(children) do
      if i ~= 3 then assert.is_true(sleeps(child.pid) - before[i] < 10, i) end -- one may be told whom it follows
    end
  end)

  it("have it if the one that was called is killed, or stopped", function()
    for _, signal in ipairs{"STOP", "KILL"} do
      local first, second = consumer(0), consumer(0)
      first:signal(signal)
      q:send(1, signal)
      assert.same({signal, 1}, second.channel:receive(waits.PATIENCE))
      first:signal("KILL")
      second:signal("KILL")
      first:wait()
      second:wait()
    end
  end)
end)
