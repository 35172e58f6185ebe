-- SPDX-License-Identifier: MIT
-- What every engine's queue promises where no wait is needed: types, payloads, limits, and what is refused.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local EEXIST, EMSGSIZE = 17, 90
local PATIENCE = waits.PATIENCE

contract.each(_ENV, "a queue", ipc.queue, function(engine, open, keyed, key)
  local function send_types(q, ...)
    for i, type in ipairs{...} do assert.is_true(q:send(type, type .. " at " .. i)) end
  end

  -- what is in it, taken out by receive(wanted)
  local function drain(q, wanted)
    local list = {}
    while true do
      local message, type = q:receive(wanted, 0)
      if message == nil then
        assert.equal("timeout", type)
        return list
      end
      assert.equal(type, math.tointeger(message:match("^%d+")))
      list[#list + 1] = message
    end
  end

  describe("carries messages:", function()
    it("a value and its type, from process to process", function()
      local q <close> = open()
      assert.is_true(q:send(3, {text = "hello", list = {1, 2.5, true}}))
      local message, type = q:receive()
      assert.same({text = "hello", list = {1, 2.5, true}}, message)
      assert.equal(3, type)
      local child <close> = assert(ipc.process(function() -- the inherited handle, and the keys of both ways
        for i = 1, 3 do q:send(7, (q:receive(i))) end
      end))
      for i = 1, 3 do q:send(i, i) end
      for i = 1, 3 do assert.same({i, 7}, {q:receive(7, PATIENCE)}) end
      assert.is_true(child:wait(PATIENCE))
    end)

    it("the oldest without a type", function()
      local q <close> = open()
      for _, wanted in ipairs{0, false} do
        send_types(q, 4, 3, 4, 1)
        assert.same({"4 at 1", "3 at 2", "4 at 3", "1 at 4"}, drain(q, wanted or nil))
      end
    end)

    it("the oldest of a type", function()
      local q <close> = open()
      send_types(q, 4, 3, 4, 1, 3)
      assert.same({"3 at 2", "3 at 5"}, drain(q, 3))
      assert.same({}, drain(q, 2))
      assert.same({"1 at 4"}, drain(q, 1))
      assert.same({"4 at 1", "4 at 3"}, drain(q))
    end)

    it("the oldest of the lowest type up to a limit", function()
      local q <close> = open()
      send_types(q, 4, 3, 2, 1, 2)
      assert.same({"1 at 4", "2 at 3", "2 at 5"}, drain(q, -2))
      assert.same({}, drain(q, -2))
      send_types(q, 9, 3)
      assert.same({"3 at 2", "3 at 2", "4 at 1", "9 at 1"}, drain(q, -math.maxinteger))
    end)

    it("types up to the largest integer", function()
      local q <close> = open()
      assert(q:send(math.maxinteger, "last"))
      assert(q:send(1 << 40, "far"))
      assert.same({"far", 1 << 40}, {q:receive(-math.maxinteger, 0)})
      assert.same({"last", math.maxinteger}, {q:receive(math.maxinteger, 0)})
    end)

    it("of every size up to its limit", function()
      local q <close> = open{codec = "raw"}
      local max = q:stat().max_message
      assert.equal(engine.queue.max_message, max)
      for _, size in ipairs{0, 1, 7, 8, 63, 64, 65, 4095, 4096, 4097, max - 1, max} do
        local message = ("\0\xffab"):rep(size // 4 + 1):sub(1, size)
        assert.is_true(q:send(1, message))
        assert.is_true(q:receive(1, 0) == message)
      end
    end)

    it("the empty string", function()
      local q <close> = open{codec = "raw"}
      q:send(2, "")
      q:send(1, "")
      assert.equal(2, #q)
      assert.same({"", 1}, {q:peek(1)})
      assert.same({"", 2}, {q:receive(0, 0)})
      assert.same({"", 1}, {q:receive(0, 0)})
      local t = waits.waiting(function() return q:receive(5, PATIENCE) end)
      q:send(5, "")
      assert.same({true, "", 5}, {t:join(PATIENCE)})
      assert.equal(0, #q)
    end)

    it("in a loop over its messages", function()
      local q <close> = open()
      send_types(q, 1, 2, 1, 3)
      local seen = {}
      for message, type in q:messages(-2) do
        seen[#seen + 1] = message
        assert.equal(type, math.tointeger(message:match("^%d+")))
        if #seen == 3 then break end
      end
      assert.same({"1 at 1", "1 at 3", "2 at 2"}, seen)
      assert.equal(1, #q)
    end)
  end)

  describe("tells", function()
    it("what receive would take, and leaves it there", function()
      local q <close> = open()
      assert.is_nil(q:peek())
      send_types(q, 4, 3, 4, 1)
      for _, case in ipairs{{nil, "4 at 1", 4}, {0, "4 at 1", 4}, {3, "3 at 2", 3}, {-3, "1 at 4", 1},
        {-4, "1 at 4", 1}} do
        assert.same({case[2], case[3]}, {q:peek(case[1])})
      end
      assert.is_nil(q:peek(2))
      assert.equal(4, #q)
      assert.equal(4, #drain(q))
    end)

    it("how much is in it", function()
      local q <close> = open{codec = "raw"}
      assert.equal(0, #q)
      local stat = q:stat()
      assert.equal(engine.queue.capacity, stat.capacity)
      assert.same({0, 0, 0, 0}, {stat.messages, stat.bytes, stat.senders, stat.receivers})
      for i = 1, 5 do q:send(i, ("x"):rep(i)) end
      stat = q:stat()
      assert.same({5, 15}, {stat.messages, stat.bytes})
      assert.equal(5, #q)
      local t = waits.waiting(function() return q:receive(9) end)
      assert.equal(1, q:stat().receivers)
      t:close()
      assert.equal(0, q:stat().receivers)
    end)

    it("its state", function()
      local q = open()
      if engine.remote then -- to know more it would have to wait
        assert.equal(("ipc.Queue (%s)"):format(tostring(key()):match("%((.*)%)")), tostring(q))
      else
        assert.matches("^ipc.Queue %(.*0 messages%)$", tostring(q))
        q:send(1, 1)
        q:send(1, 1)
        assert.matches("^ipc.Queue %(.*2 messages%)$", tostring(q))
        q:remove()
        assert.matches("^ipc.Queue %(.*removed%)$", tostring(q))
      end
      q:close()
      assert.matches("^ipc.Queue %(.*closed%)$", tostring(q))
    end)
  end)

  describe("refuses", function()
    it("types that are none", function()
      local q <close> = open()
      for _, type in ipairs{0, -1, 1.5, math.mininteger, "one", {}} do
        assert.has_error(function() q:send(type, "x") end)
      end
      assert.error_matches(function() q:send(0, "x") end, "type must be 1 or more, got 0")
      assert.error_matches(function() q:send(1) end, "value expected")
      for _, type in ipairs{1.5, math.mininteger, "one", {}, true} do
        assert.has_error(function() q:receive(type, 0) end)
        assert.has_error(function() q:peek(type) end)
        assert.has_error(function() q:messages(type) end)
      end
      for _, timeout in ipairs{-1, 0 / 0, "soon", {}} do
        assert.has_error(function() q:send(1, "x", timeout) end)
        assert.has_error(function() q:receive(1, timeout) end)
      end
      assert.equal(0, #q)
    end)

    it("a message that is too large, and names size and limit", function()
      local q <close> = open{codec = "raw"}
      local size = engine.queue.max_message + 1
      local ok, message, code = q:send(1, ("x"):rep(size))
      assert.is_nil(ok)
      assert.equal(EMSGSIZE, code)
      assert.matches(("message of %d bytes is over this queue's limit of %d bytes (%s)"):format(
        size, size - 1, engine.queue.limit), message, 1, true)
      local t = ipc.task(function() return select("#", ipc.select({{q, "send", 1, ("x"):rep(size)}}, 0)) end)
      assert.is_true((t:join(PATIENCE)))
      assert.equal(0, #q)
    end)

    it("a message above the handle's own limit", function()
      local q <close> = open{codec = "raw", max_message = 10}
      assert.is_true(q:send(1, ("x"):rep(10)))
      local ok, message, code = q:send(1, ("x"):rep(11))
      assert.is_nil(ok)
      assert.equal(EMSGSIZE, code)
      assert.matches("message of 11 bytes is over this queue's limit of 10 bytes %(max_message%)", message)
      assert.equal(1, #q)
    end)

    keyed("another capacity, and names both", function()
      local q <close> = open{capacity = 5000}
      assert.equal(5000, q:stat().capacity)
      open():close()
      open{capacity = 5000}:close()
      local other, message, code = ipc.queue(key(), {capacity = 6000})
      assert.is_nil(other)
      assert.matches("capacity of 5000 bytes, not 6000", message)
      assert.equal(EEXIST, code)
    end)

    it("options that are none", function()
      for _, size in ipairs{0, -1, 1.5, 1 << 40, "big", {}} do
        assert.error_matches(function() ipc.queue(key(), {capacity = size}) end, "capacity must be from 1 to")
        assert.error_matches(function() ipc.queue(key(), {max_message = size}) end, "max_message must be from 1 to")
      end
      assert.error_matches(function() ipc.queue(key(), {mode = "rw"}) end, "mode must be permissions")
      assert.error_matches(function() ipc.queue(key(), {codec = "xml"}) end, "codec must be")
      assert.has_error(function() ipc.queue("key") end)
      assert.has_error(function() ipc.queue(key(), 1) end)
    end)

    it("whatever is asked of a closed one", function()
      local q = open()
      q:close()
      q:close()
      for _, call in ipairs{"receive", "peek", "stat", "messages", "remove"} do
        assert.error_matches(function() q[call](q) end, "queue .* is closed")
      end
      assert.error_matches(function() q:send(1, "x") end, "queue .* is closed")
      assert.error_matches(function() return #q end, "queue .* is closed")
    end)
  end)

  describe("removed,", function()
    it("stays removed for those that have it open", function()
      local q <close> = open()
      q:send(1, "x")
      assert.is_true(q:remove())
      assert.same({nil, "removed"}, {q:send(1, "x")})
      assert.same({nil, "removed"}, {q:receive()})
      assert.same({nil, "removed"}, {q:receive(1, 0)})
      assert.same({nil, "removed"}, {q:peek()})
      assert.same({nil, "removed"}, {q:stat()})
      assert.same({nil, "removed"}, {q:remove()})
      assert.has_error(function() return #q end)
      for _ in q:messages() do error("a message of a removed queue") end
    end)

    keyed("makes room for a new one", function()
      local q <close> = open()
      q:send(1, "old")
      q:remove()
      local new <close> = open()
      assert.equal(0, #new)
      new:send(1, "new")
      assert.same({nil, "removed"}, {q:receive(1, 0)})
      assert.same({"new", 1}, {new:receive(1, 0)})
    end)
  end)

  keyed("keeps its messages while no process has it open", function()
    local q = open()
    send_types(q, 2, 1)
    q:close()
    waits.collect()
    q = open()
    assert.same({"2 at 1", "1 at 2"}, drain(q))
    q:close()
  end)
end)
