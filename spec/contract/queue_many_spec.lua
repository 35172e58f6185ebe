-- SPDX-License-Identifier: MIT
-- Many messages at once, on every engine's queue: send_many and receive_many do what as many calls of send and receive
-- would do, in order, and tell how far they came.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local EMSGSIZE <const>, PATIENCE <const> = 90, waits.PATIENCE
local waiting = waits.waiting

local LARGEST <const> = 1 << 20 -- to fill a larger queue takes long

contract.each(_ENV, "many messages of a queue", ipc.queue, function(engine, open_as_usual, keyed, key)
  local CAPACITY <const> = math.min(engine.queue.capacity, LARGEST)
  local MOST <const> = math.min(engine.queue.max_message, CAPACITY)

  local function open(options)
    options = options or {}
    if CAPACITY < engine.queue.capacity then options.capacity = CAPACITY end
    return open_as_usual(options)
  end

  local function numbers(from, to)
    local list = {}
    for i = from, to do list[#list + 1] = i end
    return list
  end

  local SIZE <const> = MOST // 8
  local FITS <const> = CAPACITY // SIZE

  -- Messages that make up several times what the queue has room for, each with its number in front.
  local function more_than_fits(times)
    local list = {}
    for i = 1, (times or 3) * FITS do list[i] = ("%08d"):format(i) .. ("x"):rep(SIZE - 8) end
    return list
  end

  -- Until so many of them are in the queue, and a server has told that there is no room for more. Returns how many.
  local function await_full(q)
    local deadline = ipc.now() + PATIENCE
    while #q < FITS and ipc.now() < deadline do ipc.yield() end
    for _ = 1, 3 do assert.equal(FITS, waits.answered(q)) end
    return FITS
  end

  -- Takes n messages of the list from the queue, in order, so many at a time.
  local function check_received(q, list, from, to, max)
    while from <= to do
      local got, types = q:receive_many(math.min(max, to - from + 1), 5, PATIENCE)
      assert.is_truthy(got, types)
      assert.equal(#got, #types)
      assert.is_true(#got >= 1 and #got <= max)
      for i = 1, #got do
        assert.is_true(got[i] == list[from])
        assert.equal(5, types[i])
        from = from + 1
      end
    end
    assert.equal(to + 1, from)
  end

  describe("arrive", function()
    it("in order, whichever way they are sent and received", function()
      local q <close> = open()
      assert.is_true(q:send_many(3, numbers(1, 10)))
      assert.is_true(q:send(2, 11))
      assert.is_true(q:send_many(1, {12}))
      assert.is_true(q:send_many(1, {}))
      assert.equal(12, #q)
      assert.same({{1}, {3}}, {q:receive_many(1)})
      assert.same({2, 3}, {q:receive()})
      assert.same({{3, 4, 5}, {3, 3, 3}}, {q:receive_many(3)})
      assert.same({{6, 7, 8, 9, 10, 11, 12}, {3, 3, 3, 3, 3, 2, 1}}, {q:receive_many(math.maxinteger)})
      assert.same({nil, "timeout"}, {q:receive_many(100, nil, 0)})
      assert.same({nil, "timeout"}, {q:receive_many(100, 0, 0.001)})
      assert.equal(0, #q)
    end)

    it("as receive would choose them", function()
      local q <close> = open()
      local function fill()
        for _, type in ipairs{4, 3, 2, 1, 2} do q:send_many(type, {type * 10, type * 10 + 1}) end
      end
      fill()
      assert.same({{30, 31}, {3, 3}}, {q:receive_many(100, 3)})
      assert.same({{10, 11, 20, 21, 20, 21}, {1, 1, 2, 2, 2, 2}}, {q:receive_many(100, -3)})
      assert.same({nil, "timeout"}, {q:receive_many(100, -3, 0)})
      assert.same({{40, 41}, {4, 4}}, {q:receive_many(100, 0)})
      fill()
      assert.same({{40, 41, 30}, {4, 4, 3}}, {q:receive_many(3)})
      assert.same({{10, 11, 20}, {1, 1, 2}}, {q:receive_many(3, -4)})
      assert.same({{31, 21, 20, 21}, {3, 2, 2, 2}}, {q:receive_many(9)})
    end)

    it("with payloads of every size", function()
      local q <close> = open{codec = "raw"}
      local list, sum = {}, 0
      for _, size in ipairs{1, 7, 8, 9, 0, 63, 64, 65, 1023, 0, 0, 4095, 4096, 4097} do
        list[#list + 1], sum = ("\0\xffab"):rep(size // 4 + 1):sub(1, size), sum + size
      end
      assert.is_true(sum < CAPACITY)
      assert.is_true(q:send_many(1, list))
      assert.same(sum, q:stat().bytes)
      assert.same(list, (q:receive_many(100)))
    end)

    it("one by one, too, to those that wait", function()
      local q <close> = open()
      local tasks = {}
      for i = 1, 5 do tasks[i] = waiting(q.receive, q, 0, PATIENCE) end
      tasks[6] = waiting(q.receive_many, q, 3, nil, PATIENCE)
      assert.is_true(q:send_many(7, numbers(1, 9)))
      for i = 1, 5 do assert.same({true, i, 7}, {tasks[i]:join(PATIENCE)}) end
      local ok, list = tasks[6]:join(PATIENCE)
      assert.is_true(ok)
      for i = 1, #list do assert.equal(5 + i, list[i]) end
      for i = 6 + #list, 9 do assert.equal(i, (q:receive(7, PATIENCE))) end
    end)

    it("at as many processes that wait as there are messages", function()
      local q <close> = open()
      local children = {}
      for i = 1, 4 do
        children[i] = assert(ipc.process(function(channel)
          local t = waiting(q.receive, q, 0, PATIENCE)
          channel:send("waiting")
          channel:send(select(2, t:join()))
        end))
        assert.equal("waiting", children[i].channel:receive(PATIENCE))
      end
      assert.same({nil, "timeout"}, {children[4].channel:receive(0.005)}) -- long enough to sleep in the kernel
      assert.is_true(q:send_many(1, numbers(1, 4)))
      local sum = 0
      for i = 1, 4 do sum = sum + children[i].channel:receive(PATIENCE) end
      assert.equal(10, sum)
      for i = 1, 4 do children[i]:wait(PATIENCE) end
    end)

    it("when they are more than there is room for", function()
      local q <close> = open{codec = "raw"}
      local list = more_than_fits()
      local sender = waiting(function() return q:send_many(5, list) end)
      check_received(q, list, 1, #list, 7)
      assert.same({true, true}, {sender:join(PATIENCE)})
      local child <close> = assert(ipc.process(function() assert(q:send_many(5, list, PATIENCE)) end))
      check_received(q, list, 1, #list, 100)
      assert.is_true(child:wait(PATIENCE))
      assert.equal(0, #q)
    end)

    it("in the order of the calls", function()
      local q <close> = open{codec = "raw"}
      local list, other = more_than_fits(2), more_than_fits(2)
      local first = waiting(function() return q:send_many(5, list) end)
      local second = waiting(function() return q:send(5, "between") end)
      local third = waiting(function() return q:send_many(5, other) end)
      check_received(q, list, 1, #list, 3)
      assert.equal("between", (q:receive(5, PATIENCE)))
      check_received(q, other, 1, #other, 3)
      for _, t in ipairs{first, second, third} do assert.same({true, true}, {t:join(PATIENCE)}) end
    end)
  end)

  it("go from many processes to many others, each once and in order", function()
    local PRODUCERS <const>, CONSUMERS <const>, COUNT <const> = 3, 3, engine.name == "disk" and 100 or 500
    local q <close> = open()
    local producers, consumers = {}, {}
    for type = 1, PRODUCERS do
      producers[type] = assert(ipc.process(function()
        local n = 0
        while n < COUNT do
          local list = numbers(n + 1, math.min(COUNT, n + type * 7))
          assert(q:send_many(type, list, PATIENCE))
          n = list[#list]
        end
      end))
    end
    for i = 1, CONSUMERS do
      consumers[i] = assert(ipc.process(function(channel)
        while true do
          local list, types = q:receive_many(i * 9, i == 1 and -PRODUCERS or 0)
          if not list then return end
          channel:send{list, types}
        end
      end))
    end
    local seen, left, last = {}, PRODUCERS * COUNT, {}
    while left > 0 do
      local cases = {}
      for i, consumer in ipairs(consumers) do cases[i] = consumer.channel end
      local i, got = ipc.select(cases, PATIENCE)
      assert.is_truthy(i)
      last[i] = last[i] or {}
      for k, n in ipairs(got[1]) do
        local type = got[2][k]
        local name = type .. "." .. n
        assert.is_nil(seen[name])
        assert.is_true(n > (last[i][type] or 0))
        seen[name], last[i][type], left = true, n, left - 1
      end
    end
    for _, producer in ipairs(producers) do assert.is_true(producer:wait(PATIENCE)) end
    assert.equal(0, #q)
    q:remove()
    for _, consumer in ipairs(consumers) do assert.is_true(consumer:wait(PATIENCE)) end
  end)

  describe("that do not all find room", function()
    it("tell how many were sent when the time is up", function()
      local q <close> = open{codec = "raw"}
      local list = more_than_fits()
      assert.same({nil, "timeout", FITS}, {q:send_many(5, list, 0)})
      assert.same({nil, "timeout", 0}, {q:send_many(5, list, 0)})
      assert.same({nil, "timeout", 0}, {q:send_many(5, list, 0.002)})
      assert.equal(FITS, #q)
      check_received(q, list, 1, FITS, 100)
      local ok, why, sent = q:send_many(5, list, 0.002) -- a server may be slower than that
      assert.same({nil, "timeout"}, {ok, why})
      assert.equal(sent, #q)
      check_received(q, list, 1, sent, 100)
      assert.equal(0, #q)
    end)

    it("tell how many were sent when something ends", function()
      local removed <close> = open{codec = "raw"}
      local list = more_than_fits()
      local t = waiting(removed.send_many, removed, 5, list)
      local sent = await_full(removed)
      removed:remove()
      assert.same({true, nil, "removed", sent}, {t:join(PATIENCE)})
      assert.same({nil, "removed", 0}, {removed:send_many(5, list)})
      assert.same({nil, "removed"}, {removed:receive_many(5)})
      removed:close()
      local q = open{codec = "raw"}
      t = waiting(q.send_many, q, 5, list)
      sent = await_full(q)
      q:close()
      assert.same({true, nil, "closed", sent}, {t:join(PATIENCE)})
      assert.error_matches(function() q:send_many(5, list) end, "is closed")
      assert.error_matches(function() q:receive_many(5) end, "is closed")
    end)

    it("raise when the task is cancelled", function()
      local q <close> = open{codec = "raw"}
      local list = more_than_fits()
      for _ = 1, 2 do
        local reached = false
        local t = waiting(function()
          q:send_many(5, list)
          reached = true
        end)
        local sent = await_full(q)
        t:cancel()
        assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
        assert.is_false(reached)
        check_received(q, list, 1, sent, 100)
        assert.equal(0, #q)
      end
    end)
  end)

  describe("are refused", function()
    it("if one of them cannot be encoded, before the first is sent", function()
      local q <close> = open()
      assert.error_matches(function() q:send_many(1, {1, print, 3}) end, "cannot encode messages%[2%]: ")
      assert.error_matches(function() q:send_many(1, {1, {x = {print}}}) end, "cannot encode messages%[2%]%.x%[1%]: ")
      assert.equal(0, #q)
    end)

    it("if one of them is too large, and it is told which", function()
      local q <close> = open{codec = "raw"}
      local ok, why, errno = q:send_many(1, {"1", ("x"):rep(MOST + 1), "3"})
      assert.same({nil, EMSGSIZE}, {ok, errno})
      assert.matches(("messages[2] of %d bytes is over this queue's limit of %d bytes (%s)"):format(MOST + 1, MOST,
        engine.queue.limit), why, 1, true)
      assert.equal(0, #q)
    end)

    it("if the arguments are none", function()
      local q <close> = open()
      assert.error_matches(function() q:send_many(1, "text") end, "table expected")
      assert.error_matches(function() q:send_many(0, {1}) end, "type must be 1 or more, got 0")
      assert.has_error(function() q:send_many(1, {1}, -1) end)
      for _, max in ipairs{0, -1, 1.5, "many", {}} do
        assert.has_error(function() q:receive_many(max, 0, 0) end)
      end
      assert.error_matches(function() q:receive_many(0) end, "max must be 1 or more, got 0")
      assert.has_error(function() q:receive_many(1, "one", 0) end)
      assert.has_error(function() q:receive_many(1, 0, -1) end)
      assert.equal(0, #q)
    end)
  end)

  describe("of which some cannot be decoded", function()
    local bad = {"1", "2", "bad[", "4", "bad{", "6"}

    local function open_both()
      local raw = open{codec = "raw"}
      local codec = {encode = tostring, decode = function(text) return assert(math.tointeger(text), text) end}
      return assert(ipc.queue(key(), {codec = codec})), raw
    end

    keyed("are told by the calls to which they come first", function()
      local q, raw = open_both()
      local function check(first, ...)
        assert.is_nil(first)
        assert.matches("^cannot decode a message of type 1 of queue .*: .*bad", (...))
      end
      raw:send_many(1, bad)
      assert.same({{1, 2}, {1, 1}}, {q:receive_many(10)})
      assert.equal(0, #q)
      check(q:receive_many(10))
      assert.same({{4}, {1}}, {q:receive_many(10)})
      check(q:peek())
      check(q:receive(1, 0))
      assert.same({6, 1}, {q:receive(0, 0)})
      assert.same({nil, "timeout"}, {q:receive_many(10, nil, 0)})
      raw:send(1, "bad[")
      check(q:receive_many(10))
      assert.same({nil, "timeout"}, {q:receive_many(10, nil, 0)})
      q:close()
    end)

    keyed("leave those behind them to the next calls, for the types they want", function()
      local q, raw = open_both()
      raw:send_many(3, {"bad[", "31"})
      raw:send_many(2, {"21"})
      raw:send_many(3, {"32"})
      raw:send_many(1, {"11"})
      assert.is_nil((q:receive_many(10)))
      raw:send_many(4, {"41"})
      assert.same({41, 4}, {q:receive(4, 0)})
      assert.same({nil, "timeout"}, {q:receive(5, 0)})
      assert.same({11, 1}, {q:peek(-3)})
      assert.same({11, 1}, {q:receive(-3, 0)})
      assert.same({1, 21, 2}, {ipc.select{{q, "receive", 2}}})
      raw:send_many(4, {"42"})
      assert.same({1, {31, 32}, {3, 3}}, {ipc.select{{q, "receive_many", 9}}})
      assert.same({1, {42}, {4}}, {ipc.select{{q, "receive_many", 9}}})
      q:close()
    end)

    keyed("leave those behind them to the queue when the handle is closed", function()
      local q, raw = open_both()
      raw:send_many(1, bad)
      assert.same({{1, 2}, {1, 1}}, {q:receive_many(10)})
      raw:send(1, "7")
      q:close()
      assert.same({{"7", "bad[", "4", "bad{", "6"}, {1, 1, 1, 1, 1}}, {raw:receive_many(10)})
    end)

    keyed("leave those behind them to the process that has them", function()
      local q, raw = open_both()
      raw:send_many(1, bad)
      assert.same({{1, 2}, {1, 1}}, {q:receive_many(10)})
      local child <close> = assert(ipc.process(function(channel)
        channel:send(select(2, q:receive(0, 0)))
        q:close()
      end))
      assert.equal("timeout", child.channel:receive(PATIENCE))
      assert.is_true(child:wait(PATIENCE))
      assert.equal(0, #q)
      assert.is_nil((q:receive()))
      assert.equal(4, (q:receive()))
      q:close()
    end)

    keyed("leave alone a handle that the codec closes", function()
      local raw = open{codec = "raw"}
      local q
      q = assert(ipc.queue(key(), {codec = {encode = tostring, decode = function(text)
        if text == "2" then q:close() end
        return text
      end}}))
      raw:send_many(1, {"1", "2", "3"})
      assert.same({{"1"}, {1}}, {q:receive_many(10)})
      assert.error_matches(function() q:receive() end, "is closed")
    end)

    keyed("may be looked at by the codec itself", function()
      local raw = open{codec = "raw"}
      local q
      q = assert(ipc.queue(key(), {codec = {encode = tostring, decode = function(text)
        for _ = 1, 2 do q:peek(7) end
        return text
      end}}))
      for n = 1, 3 do
        for i = 1, n do raw:send(1, tostring(i)) end
        assert.equal(n, #q:receive_many(10))
      end
      q:close()
    end)

    keyed("may be received by the codec itself", function()
      local raw = open{codec = "raw"}
      local q
      q = assert(ipc.queue(key(), {codec = {encode = tostring, decode = function(text)
        return text == "2" and "2 and " .. q:receive(0, 0) or text
      end}}))
      raw:send_many(1, {"1", "2", "3", "4"})
      local list = q:receive_many(10)
      assert.equal("1", list[1])
      q:close()
    end)
  end)

  -- Two handles, of which one cannot decode some of the messages, beside a list of what is in the queue, and one of
  -- what that handle has taken and not returned.
  keyed("do what lists of messages would do, whatever is called", function()
    local seed = os.time()
    math.randomseed(seed)
    local raw <close> = open{codec = "raw"}
    local q <close> = assert(ipc.queue(key(), {codec = {encode = tostring, decode = function(text)
      return text:find("bad") and error("bad") or text
    end}}))
    local inside, rest, number = {}, {}, 0
    local WANTED <const> = {0, 0, 0, 1, 2, -1, -2, -3}

    -- Where the message is that comes first.
    local function first(list, wanted)
      local best
      for i, m in ipairs(list) do
        if wanted >= 0 and (wanted == 0 or m[2] == wanted) then return i end
        if wanted < 0 and m[2] <= -wanted and (not best or m[2] < list[best][2]) then best = i end
      end
      return best
    end

    local function is_bad(m) return m[1]:find("bad") ~= nil end

    local function new()
      number = number + 1
      return number .. (math.random(12) == 1 and "bad" or "")
    end

    local function send_many()
      local type, list = math.random(3), {}
      for i = 1, math.random(0, 9) do list[i] = new() end
      assert(raw:send_many(type, list, PATIENCE))
      for _, text in ipairs(list) do inside[#inside + 1] = {text, type} end
    end

    -- A message, or why there is none.
    local function check_receive(list, at, message, type)
      if not at then
        assert.same({nil, "timeout"}, {message, type})
      elseif is_bad(list[at]) then
        assert.is_nil(message)
        assert.matches("^cannot decode", type)
      else
        assert.same(list[at], {message, type})
      end
      if at then table.remove(list, at) end
    end

    local function receive(wanted)
      local list = first(rest, wanted) and rest or inside
      check_receive(list, first(list, wanted), q:receive(wanted, 0))
    end

    local function receive_many(wanted)
      local max = math.random(8)
      local messages, types = q:receive_many(max, wanted, 0)
      local taken, at = {}, first(rest, wanted)
      while not at and #taken < max and first(inside, wanted) do
        taken[#taken + 1] = table.remove(inside, first(inside, wanted))
      end
      local list = at and rest or taken
      at = at or taken[1] and 1
      if not messages then
        check_receive(list, at, messages, types)
      else
        assert.is_true(#messages >= 1 and #messages <= max)
        for i, message in ipairs(messages) do
          at = list == rest and first(rest, wanted) or 1
          assert.same(list[at], {message, types[i]})
          table.remove(list, at)
        end
        at = list == rest and first(rest, wanted) or taken[1] and 1
        assert.is_true(#messages == max or not at or is_bad(list[at]))
      end
      table.move(taken, 1, #taken, #rest + 1, rest)
    end

    local ok, problem = pcall(function()
      for _ = 1, waits.SANITIZED and 100 or 400 do
        local kind, wanted = math.random(6), WANTED[math.random(#WANTED)]
        if kind <= 2 then send_many() elseif kind <= 4 then receive_many(wanted) else receive(wanted) end
        assert.equal(#inside, #raw)
      end
      while inside[1] or rest[1] do receive_many(0) end
      receive_many(0)
    end)
    assert.is_true(ok, ("seed %d: %s"):format(seed, tostring(problem)))
  end)

  describe("in a select", function()
    it("are received by one case, and no message is lost to the others", function()
      local q <close> = open()
      local t = waiting(ipc.select, {{q, "receive_many", 10, 1}, {q, "receive_many", 10, 2}, {q, "receive", 3}})
      q:send_many(2, numbers(1, 5))
      local ok, which, list, types = t:join(PATIENCE)
      assert.same({true, 2, 1, 2}, {ok, which, list[1], types[1]})
      for i = #list + 1, 5 do assert.equal(i, (q:receive(2, PATIENCE))) end
      q:send_many(1, {1, 2})
      q:send_many(2, {3, 4})
      assert.same({1, {1, 2}, {1, 1}}, {ipc.select{{q, "receive_many", 10, 1}, {q, "receive_many", 10, 2}}})
      assert.same({{3, 4}, {2, 2}}, {q:receive_many(10, nil, PATIENCE)})
      assert.same({nil, "timeout"}, {ipc.select({{q, "receive_many", 10}}, 0)})
      assert.same({nil, "timeout"}, {ipc.select({{q, "receive_many", 10}}, 0.001)})
    end)

    it("are not sent: it raises", function()
      local q <close> = open()
      assert.error_matches(function() ipc.select({{q, "send_many", 1, {1}}}, 0) end,
        "the method 'send_many' of ipc.Queue cannot be a case: make it a task")
      assert.equal(0, #q)
    end)
  end)

  describe("when a process is killed", function()
    it("that sends: the first ones are there, and nothing else", function()
      local q <close> = open{codec = "raw"}
      local list = more_than_fits(20)
      for round = 1, 4 do
        local child = assert(ipc.process(function(channel)
          channel:send("sends")
          assert(q:send_many(5, list))
        end))
        assert.equal("sends", child.channel:receive(PATIENCE))
        local got = 0
        while got < round * 3 do
          local part = assert(q:receive_many(round, 5, PATIENCE))
          for i = 1, #part do assert.is_true(part[i] == list[got + i]) end
          got = got + #part
        end
        child:signal("KILL")
        child:wait(PATIENCE)
        local part = q:receive_many(1000000, 0, 0)
        while part do
          for i = 1, #part do assert.is_true(part[i] == list[got + i]) end
          got = got + #part
          part = q:receive_many(1000000, 0, 0)
        end
        assert.equal(0, #q)
      end
    end)

    it("that receives: what it has taken is gone with it, and nothing else", function()
      local q <close> = open()
      for round = 1, 4 do
        local child = assert(ipc.process(function(channel)
          channel:send("ready")
          while true do channel:send((q:receive_many(7))) end
        end))
        assert.equal("ready", child.channel:receive(PATIENCE))
        local sent, told = 200, 0
        assert.is_true(q:send_many(1, numbers(1, sent)))
        while told < round * 10 do
          local list = assert(child.channel:receive(PATIENCE))
          for i = 1, #list do assert.equal(told + i, list[i]) end
          told = told + #list
        end
        child:signal("KILL")
        child:wait(PATIENCE)
        local last = sent + 1
        for _ = 1, #q do
          local message = q:receive(0, PATIENCE)
          last = last > sent and message or last
          assert.is_true(message <= sent)
        end
        assert.is_true(last > told)
        assert.equal(0, #q)
      end
    end)

    it("that waits to send them, or to receive them", function()
      local q <close> = open{codec = "raw"}
      local list = more_than_fits(2)
      local receiver = assert(ipc.process(function(channel)
        local t = waiting(q.receive_many, q, 10, 3)
        channel:send("waiting")
        t:join()
      end))
      assert.equal("waiting", receiver.channel:receive(PATIENCE))
      assert.same({nil, "timeout"}, {receiver.channel:receive(0.005)}) -- long enough to sleep in the kernel
      receiver:signal("KILL")
      receiver:wait(PATIENCE)
      assert.is_true(q:send_many(3, {"1", "2"}))
      assert.same({{"1", "2"}, {3, 3}}, {q:receive_many(10, 3, PATIENCE)})
      local sender = assert(ipc.process(function(channel)
        local t = waiting(q.send_many, q, 5, list)
        channel:send("waiting")
        t:join()
      end))
      assert.equal("waiting", sender.channel:receive(PATIENCE))
      assert.same({nil, "timeout"}, {sender.channel:receive(0.005)})
      local sent = await_full(q)
      sender:signal("KILL")
      sender:wait(PATIENCE)
      check_received(q, list, 1, sent, 5)
      assert.is_true(q:send_many(5, {"x"}, PATIENCE))
    end)
  end)
end)
