-- SPDX-License-Identifier: MIT
-- What every engine's queue promises to waiters: order, not too long, and a wait that ends loses nothing.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE, settle, waiting = waits.PATIENCE, waits.settle, waits.waiting
local SANITIZED = waits.SANITIZED

contract.each(_ENV, "a queue", ipc.queue, function(engine, open, keyed)
  local large = ("y"):rep(engine.queue.max_message // 4)

  -- messages of a type until there is no room for one more; how many
  local function fill(q, type)
    local count = 0
    repeat
      local ok, why = q:send(type or 1, large, 0)
      if ok then count = count + 1 else assert.equal("timeout", why) end
    until not ok
    return count
  end

  local function drain(q, type)
    local count = 0
    while q:receive(type, 0) ~= nil do count = count + 1 end
    return count
  end

  describe("that is empty", function()
    it("gives its receiver what another task sends", function()
      local q <close> = open()
      local t = waiting(function() return q:receive(nil, PATIENCE) end)
      q:send(4, "x")
      assert.same({true, "x", 4}, {t:join(PATIENCE)})
    end)

    it("gives its receiver what another process sends", function()
      local q <close> = open()
      local child <close> = assert(ipc.process(function(channel)
        local t = waiting(function() return q:receive(3) end)
        channel:send("waiting")
        q:send(5, {t:join()})
      end))
      assert.equal("waiting", child.channel:receive(PATIENCE))
      assert.same({nil, "timeout"}, {q:receive(5, 0.01)}) -- long enough for it to sleep in the kernel
      q:send(4, "not for it")
      q:send(3, "for it")
      assert.same({{true, "for it", 3}, 5}, {q:receive(5, PATIENCE)})
      assert.is_true(child:wait(PATIENCE))
      assert.equal(1, #q)
    end)

    it("lets its receiver's process go on, on the main chunk too", function()
      local q <close> = open()
      local ticks = 0
      local t = ipc.task(function()
        repeat
          ticks = ticks + 1
          ipc.sleep(0.001)
        until ticks == 5
        q:send(1, "at last")
      end)
      assert.same({"at last", 1}, {q:receive(1, PATIENCE)})
      assert.equal(5, ticks)
      assert.is_true(t:join(PATIENCE))
    end)

    it("times out, not too early, and takes nothing later", function()
      local q <close> = open()
      for _, seconds in ipairs{0, 0.001, 0.02} do
        local start = ipc.now()
        assert.same({nil, "timeout"}, {q:receive(1, seconds)})
        assert.is_true(ipc.now() - start >= seconds)
        local t = ipc.task(function() return q:receive(-9, seconds) end)
        assert.same({true, nil, "timeout"}, {t:join(PATIENCE)})
        assert.is_true(ipc.now() - start >= 2 * seconds)
      end
      q:send(1, "x")
      settle()
      assert.same({"x", 1}, {q:receive(1, 0)})
    end)

    it("serves the waiters for a type in order", function()
      local q <close> = open()
      for _, wanted in ipairs{0, 2, -3} do
        local order, tasks, expected = {}, {}, {}
        for i = 1, 20 do
          tasks[i] = ipc.task(function()
            local message, why = q:receive(wanted, i == 7 and 0.001 or PATIENCE)
            order[#order + 1] = i .. " got " .. (message or why)
          end)
        end
        settle()
        tasks[7]:join(PATIENCE) -- one gives up, another is cancelled
        tasks[13]:close()
        expected[1] = "7 got timeout"
        for i = 1, 20 do
          if i ~= 7 and i ~= 13 then
            q:send(2, #expected)
            expected[#expected + 1] = i .. " got " .. #expected
          end
        end
        for i = 1, 20 do tasks[i]:join(PATIENCE) end
        assert.same(expected, order)
      end
    end)

    it("serves the waiters for different types, each with its own", function()
      local q <close> = open()
      local tasks = {}
      for _, wanted in ipairs{5, 6, -2, 7, 5} do
        tasks[#tasks + 1] = waiting(function() return q:receive(wanted, PATIENCE) end)
      end
      for _, type in ipairs{7, 2, 6, 5, 5} do q:send(type, "of " .. type) end
      for i, type in ipairs{5, 6, 2, 7, 5} do
        assert.same({true, "of " .. type, type}, {tasks[i]:join(PATIENCE)})
      end
      assert.equal(0, #q)
    end)

    keyed("serves the waiters of all its handles in one line", function()
      local q <close> = open()
      local twin <close> = open{codec = "raw"}
      local order, tasks = {}, {}
      for i = 1, 6 do
        tasks[i] = waiting(function()
          local handle = i % 2 == 0 and q or twin
          handle:receive(1, PATIENCE)
          order[#order + 1] = i
        end)
      end
      for i = 1, 6 do q:send(1, i) end
      for i = 1, 6 do tasks[i]:join(PATIENCE) end
      assert.same({1, 2, 3, 4, 5, 6}, order)
    end)

    it("gives a message that cannot be decoded as nil and why, once", function()
      local strict = {encode = function(text) return text end}
      function strict.decode(text)
        if text:sub(1, 1) == "!" then error("it says " .. text, 0) end
        return text
      end
      local q <close> = open{codec = strict}
      for _, waits_for in ipairs{3, 0, -4} do
        q:send(3, "!a")
        q:send(3, "next")
        local message, why, more = q:receive(waits_for, 0)
        assert.is_nil(message)
        assert.matches("^cannot decode a message of type 3 of queue .*: it says !a$", why)
        assert.is_nil(more)
        assert.same({"next", 3}, {q:receive(waits_for, 0)})
        local t = waiting(function() return q:receive(waits_for, PATIENCE) end)
        q:send(3, "!a")
        assert.same({true, nil, why}, {t:join(PATIENCE)})
        assert.equal(0, #q)
      end
    end)

    keyed("takes what is not JSON off, and goes on", function()
      local q <close> = open()
      local raw <close> = open{codec = "raw"}
      for _, text in ipairs{"not JSON", "", '{"half":', "[1,]", "\xff\0"} do
        raw:send(1, text)
        q:send(1, "next")
        local message, why = q:receive(1, 0)
        assert.is_nil(message)
        assert.matches("^cannot decode a message of type 1", why)
        assert.same({"next", 1}, {q:receive(1, 0)})
      end
    end)
  end)

  describe("that is full", function()
    it("lets its sender wait until there is room", function()
      local q <close> = open()
      local count = fill(q)
      assert.is_true(count > 0)
      local t = waiting(function() return q:send(2, large, PATIENCE) end)
      assert.equal(1, q:stat().senders)
      q:receive(1)
      assert.same({true, true}, {t:join(PATIENCE)})
      assert.equal(count, #q)
      assert.same({large, 2}, {q:receive(2, 0)})
    end)

    it("lets its sender wait for another process to make room", function()
      local q <close> = open()
      local count = fill(q)
      local child <close> = assert(ipc.process(function(channel)
        channel:receive()
        for _ = 1, count do q:receive(1) end
      end))
      local t = waiting(function()
        for i = 1, 3 do assert(q:send(2, {i, large}, PATIENCE)) end
        return "sent"
      end)
      ipc.sleep(0.002) -- long enough for the wait to have become one in the kernel
      child.channel:send("go")
      assert.is_true(child:wait(PATIENCE))
      assert.same({true, "sent"}, {t:join(PATIENCE)})
      for i = 1, 3 do assert.same({{i, large}, 2}, {q:receive(2, 0)}) end
    end)

    it("times out, and has sent nothing then", function()
      local q <close> = open()
      local count = fill(q)
      for _, seconds in ipairs{0, 0.001, 0.02} do
        local start = ipc.now()
        assert.same({nil, "timeout"}, {q:send(2, large, seconds)})
        assert.is_true(ipc.now() - start >= seconds)
      end
      assert.equal(count, drain(q, 1))
      settle()
      assert.equal(0, #q)
    end)

    it("serves its senders in order", function()
      local q <close> = open()
      local count = fill(q)
      local tasks, order = {}, {}
      for i = 1, 12 do
        local start = i == 4 and ipc.task or waiting -- on a busy machine the fourth may be done at once
        tasks[i] = start(function() return q:send(1 + i, large, i == 4 and 0.001 or PATIENCE) end)
      end
      assert.same({true, nil, "timeout"}, {tasks[4]:join(PATIENCE)})
      tasks[6]:close()
      for _ = 1, count do q:receive(1) end
      for n = 1, 10 do order[n] = select(2, q:receive(nil, PATIENCE)) - 1 end
      assert.same({1, 2, 3, 5, 7, 8, 9, 10, 11, 12}, order)
      for i, t in ipairs(tasks) do
        if i ~= 4 and i ~= 6 then assert.same({true, true}, {t:join(PATIENCE)}) end
      end
      assert.equal(0, #q)
    end)
  end)

  describe("in a select", function()
    it("loses nothing of the cases that were not chosen", function()
      local queues = {}
      for i = 1, 3 do queues[i] = i == 1 and open() or assert(ipc.queue(engine.key())) end
      local rounds = SANITIZED and 20 or 200
      local children = {}
      for i, q in ipairs(queues) do
        children[i] = assert(ipc.process(function()
          for n = 1, rounds do assert(q:send(n % 3 + 1, n, PATIENCE)) end
        end))
      end
      local got = {{}, {}, {}}
      for n = 1, 3 * rounds do
        local which, message
        repeat
          local wait = n % 7 == 0 and 0.0002 or PATIENCE
          which, message = ipc.select({queues[1], {queues[2], "receive", 0}, {queues[3], "receive", -3}}, wait)
        until which
        local list = got[which]
        list[#list + 1] = message
      end
      for i, q in ipairs(queues) do
        table.sort(got[i])
        assert.equal(rounds, #got[i])
        for n = 1, rounds do assert.equal(n, got[i][n]) end
        assert.equal(0, #q)
        assert.is_true(children[i]:wait(PATIENCE))
        q:close()
      end
    end)

    it("sends to the first that has room, and to no other", function()
      local q <close> = open()
      local other <close> = assert(ipc.queue(engine.key()))
      local full = {fill(q), fill(other)}
      local function choose(timeout)
        return ipc.select({{q, "send", 2, large}, {other, "send", 2, large}, {q, "receive", 9}}, timeout)
      end
      assert.same({nil, "timeout"}, {choose(0)})
      assert.same({nil, "timeout"}, {choose(0.005)})
      local t = waiting(choose, PATIENCE)
      ipc.sleep(0.002) -- so that the loop has blocked, and something watches in its place
      other:receive(1)
      assert.same({true, 2, true}, {t:join(PATIENCE)})
      assert.same({full[1], full[2]}, {#q, #other})
      t = waiting(choose, PATIENCE)
      q:receive(1)
      assert.same({true, 1, true}, {t:join(PATIENCE)})
      assert.same({1, 1}, {drain(q, 2), drain(other, 2)})
    end)
  end)
end)
