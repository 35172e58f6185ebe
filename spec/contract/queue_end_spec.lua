-- SPDX-License-Identifier: MIT
-- What every engine's queue promises when something ends early: a wait, a handle, the queue itself, a process; and
-- what a forked child has of it.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE, settle, waiting = waits.PATIENCE, waits.settle, waits.waiting

contract.each(_ENV, "a queue", ipc.queue, function(engine, open, keyed, key)
  local large = ("y"):rep(engine.queue.max_message // 4)

  local function fill(q)
    local count = 0
    while q:send(1, large, 0) do count = count + 1 end
    return count
  end

  local function drain(q, type)
    local count = 0
    while q:receive(type, 0) ~= nil do count = count + 1 end
    return count
  end

  -- Long enough for the loop to have blocked, and for a thread to wait in its place: nothing tells of that.
  local function sleep_in_kernel() ipc.sleep(0.002) end

  -- a child in which fn waits; it sends the last result
  local function waiting_child(fn)
    local child = assert(ipc.process(function(channel)
      local t = waiting(fn)
      channel:send("waiting")
      local results = table.pack(t:join())
      channel:send(results[results.n])
    end))
    assert.equal("waiting", child.channel:receive(PATIENCE))
    return child
  end

  describe("loses nothing to a wait", function()
    it("to receive that is cancelled", function()
      local q <close> = open()
      for _, type in ipairs{0, 2, -2} do
        for _, pause in ipairs{settle, sleep_in_kernel} do
          local first = waiting(function() return q:receive(type) end)
          local second = waiting(function() return q:receive(type, PATIENCE) end)
          pause()
          first:cancel()
          assert.same({false, ipc.cancelled}, {first:join(PATIENCE)})
          q:send(2, "x")
          assert.same({true, "x", 2}, {second:join(PATIENCE)})
        end
      end
      assert.equal(0, #q)
    end)

    it("to send that is cancelled", function()
      local q <close> = open()
      local count = fill(q)
      for _, pause in ipairs{settle, sleep_in_kernel} do
        local first = waiting(function() return q:send(2, large) end)
        local second = waiting(function() return q:send(3, large, PATIENCE) end)
        pause()
        first:cancel()
        assert.same({false, ipc.cancelled}, {first:join(PATIENCE)})
        q:receive()
        assert.same({true, true}, {second:join(PATIENCE)})
        assert.same({0, 1, count - 1}, {drain(q, 2), drain(q, 3), #q})
        fill(q)
      end
    end)

    it("of a process that is killed while it waits to receive", function()
      local q <close> = open()
      local child = waiting_child(function() q:receive(1) end)
      local other = waiting_child(function() ipc.select{{q, "receive", 2}, {q, "receive", 3}} end)
      assert.same({nil, "timeout"}, {child.channel:receive(0.005)}) -- long enough for it to sleep in the kernel
      for i = 4, 6 do q:send(i, i) end
      for _, victim in ipairs{child, other} do
        victim:signal("KILL")
        victim:wait()
      end
      for i = 1, 3 do q:send(i, i) end
      for i = 1, 6 do assert.same({i, i}, {q:receive(-6, 0)}) end
      assert.equal(0, #q)
    end)

    it("of a process that is killed while it waits to send", function()
      local q <close> = open()
      local count = fill(q)
      local child = waiting_child(function() q:send(2, large) end)
      assert.same({nil, "timeout"}, {child.channel:receive(0.005)}) -- long enough for it to sleep in the kernel
      child:signal("KILL")
      child:wait()
      assert.equal(count, drain(q, 1))
      assert.equal(0, #q)
      assert.equal(count, fill(q)) -- the room is there, too
    end)

    it("of a receiver that has told what it got before it was killed", function()
      local q <close> = open()
      local told, sent = 0, 0
      for round = 1, 12 do
        local child = assert(ipc.process(function(channel)
          channel:send("ready")
          for message in q:messages(1) do channel:send(message) end
        end))
        assert.equal("ready", child.channel:receive(PATIENCE))
        for _ = 1, round do
          sent = sent + 1
          q:send(1, sent)
          assert.equal(sent, child.channel:receive(PATIENCE))
          told = told + 1
        end
        child:signal("KILL")
        child:wait()
      end
      assert.equal(sent, told)
      assert.equal(0, #q)
    end)
  end)

  describe("that is closed", function()
    it("tells the waiters on that handle, and no other", function()
      local other <close> = assert(ipc.queue(key())) -- on an engine without keys it is another queue
      for _, pause in ipairs{settle, sleep_in_kernel} do
        local q = open()
        local tasks = {
          waiting(function() return q:receive(1, PATIENCE) end),
          waiting(function() return q:receive(2) end),
          waiting(function() return ipc.select({{q, "receive", 3}}, PATIENCE) end),
        }
        local t = waiting(function() return other:receive(1, PATIENCE) end)
        pause()
        q:close()
        assert.same({true, nil, "closed"}, {tasks[1]:join(PATIENCE)})
        assert.same({true, nil, "closed"}, {tasks[2]:join(PATIENCE)})
        assert.same({true, 1, nil, "closed"}, {tasks[3]:join(PATIENCE)})
        other:send(1, "x")
        assert.same({true, "x", 1}, {t:join(PATIENCE)})
      end
    end)

    it("tells the waiters to send, whose messages are not sent", function()
      local q, other <close> = open(), assert(ipc.queue(key()))
      local count = fill(q)
      local t = waiting(function() return q:send(2, large) end)
      sleep_in_kernel()
      for _ = 1, 2 do assert.is_nil((q:receive(3, 0))) end -- by now a server has said that there is no room, twice
      q:close()
      assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
      assert.same({engine.private and 0 or count, 0}, {drain(other, 1), #other})
    end)

    it("still gives what had come, or leaves it there", function()
      local q, other <close> = open(), assert(ipc.queue(key()))
      local t = waiting(function() return q:receive(1, PATIENCE) end)
      local u = waiting(function() return ipc.select({{q, "receive", 2}}, PATIENCE) end)
      for i = 1, 2 do q:send(i, "in time") end
      q:close() -- neither has run meanwhile
      local _, message, closed = t:join(PATIENCE)
      local _, which, selected, also_closed = u:join(PATIENCE)
      assert.same({1, true, true}, {which, message == "in time" or closed == "closed",
        selected == "in time" or also_closed == "closed"})
      local got = (message and 1 or 0) + (selected and 1 or 0)
      if not engine.private then assert.equal(2, got + #other) end
    end)

    it("ends the loop over its messages", function()
      local q = open()
      local t = waiting(function()
        for _ in q:messages() do error("a message") end
        return "over"
      end)
      q:close()
      assert.same({true, "over"}, {t:join(PATIENCE)})
    end)

    keyed("by the collector stays for others, with its messages", function()
      local q <close> = open()
      open():send(3, "x")
      waits.collect()
      assert.same({"x", 3}, {q:receive(0, 0)})
    end)
  end)

  describe("that is removed", function()
    it("tells the waiters, in this and in other processes", function()
      local q <close> = open()
      local receiver <close> = waiting_child(function() return q:receive(5) end)
      local selector <close> = waiting_child(function() return ipc.select{q} end)
      local t = waiting(function() return q:receive(1, PATIENCE) end)
      local u = waiting(function() return ipc.select({{q, "receive", 2}}, PATIENCE) end)
      sleep_in_kernel()
      assert.is_true(q:remove())
      assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
      assert.same({true, 1, nil, "removed"}, {u:join(PATIENCE)})
      assert.equal("removed", receiver.channel:receive(PATIENCE))
      assert.equal("removed", selector.channel:receive(PATIENCE))
    end)

    it("tells the waiters to send", function()
      local q <close> = open()
      fill(q)
      local sender <close> = waiting_child(function() return q:send(1, large) end)
      local t = waiting(function() return q:send(1, large, PATIENCE) end)
      local u = waiting(function() return ipc.select({{q, "send", 1, large}}, PATIENCE) end)
      sleep_in_kernel()
      assert.is_true(q:remove())
      assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
      assert.same({true, 1, nil, "removed"}, {u:join(PATIENCE)})
      assert.equal("removed", sender.channel:receive(PATIENCE))
    end)

    keyed("by another process tells the waiters", function()
      local q <close> = open()
      local t = waiting(function() return q:receive(1, PATIENCE) end)
      local child <close> = assert(ipc.process(function() open():remove() end))
      assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
      assert.is_true(child:wait(PATIENCE))
    end)
  end)

  describe("in a forked child", function()
    it("can be used, and closed, without a harm to the parent", function()
      local q <close> = open()
      q:send(1, "for the child")
      local child <close> = assert(ipc.process(function()
        q:send(2, (q:receive(1)))
        q:close()
        waits.collect()
      end))
      assert.same({"for the child", 2}, {q:receive(2, PATIENCE)})
      assert.is_true(child:wait(PATIENCE))
      local exits = assert(ipc.process(function() os.exit(0, true) end))
      assert.is_true(exits:wait(PATIENCE))
      q:send(1, "still there")
      assert.same({"still there", 1}, {q:receive(1, 0)})
    end)

    it("knows nothing of its parent's waits", function()
      local q <close> = open()
      local tasks = {}
      for i = 1, 3 do tasks[i] = waiting(function() return q:receive(i, PATIENCE) end) end
      sleep_in_kernel()
      local child <close> = assert(ipc.process(function(channel)
        channel:send{#ipc.tasks(), q:stat().receivers, q:stat().senders}
        q:send(9, (q:receive(8, PATIENCE)))
      end))
      assert.same({0, 0, 0}, child.channel:receive(PATIENCE))
      q:send(8, "to the child")
      assert.same({"to the child", 9}, {q:receive(9, PATIENCE)})
      assert.is_true(child:wait(PATIENCE))
      for i, t in ipairs(tasks) do
        q:send(i, "to " .. i)
        assert.same({true, "to " .. i, i}, {t:join(PATIENCE)})
      end
      assert.equal(0, #q)
    end)
  end)
end)
