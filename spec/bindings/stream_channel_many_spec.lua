-- SPDX-License-Identifier: MIT
-- Many messages at once: send_many and receive_many of channels and of hubs.

local ipc = require "ipc"
local channels = require "spec.support.channels"
local waits = require "spec.support.waits"

local EMSGSIZE <const>, PATIENCE <const> = 90, waits.PATIENCE
local pair = channels.pair

local function numbers(from, to)
  local list = {}
  for i = from, to do list[#list + 1] = i end
  return list
end

local function received(channel, n, max)
  local list = {}
  while #list < n do
    local part = assert(channel:receive_many(max, PATIENCE))
    assert.is_true(#part >= 1 and #part <= max)
    table.move(part, 1, #part, #list + 1, list)
  end
  return list
end

for _, framing in ipairs {"length", "line"} do
  for _, buffer in ipairs {0, 100, 1 << 20} do
    describe(("many messages of a channel with framing %s and buffer %d"):format(framing, buffer), function()
      local a, b
      before_each(function() a, b = pair {framing = framing, buffer = buffer, max_message = 2000000} end)
      after_each(channels.close)

      it("arrive in order, whichever way they are sent and received", function()
        assert.is_true(a:send_many(numbers(1, 10)))
        assert.is_true(a:send(11))
        assert.is_true(a:send_many {12})
        assert.is_true(a:send_many {})
        assert.is_true(a:flush())
        assert.same({1}, b:receive_many(1))
        assert.equal(2, b:receive())
        assert.same({3, 4, 5}, b:receive_many(3))
        assert.same(numbers(6, 12), b:receive_many(100))
        assert.same({nil, "timeout"}, {b:receive_many(100, 0)})
      end)

      it("may be more than the socket takes, of any size", function()
        local list = {}
        for i = 1, 60 do list[i] = tostring(i % 10):rep(i % 7 == 0 and 300000 or i * i) end
        local sender = ipc.task(function()
          assert(a:send_many(list))
          return a:send_many(list)
        end)
        local got = received(b, 120, 50)
        for i = 1, 120 do assert.is_true(got[i] == list[(i - 1) % 60 + 1]) end
        assert.same({true, true}, {sender:join(PATIENCE)})
      end)

      it("tell how many were sent when there is no time for more", function()
        local list, text = {}, ("x"):rep(998)
        for i = 1, 2000 do list[i] = text end
        local ok, why, sent = a:send_many(list, 0.001)
        assert.same({nil, "timeout"}, {ok, why})
        assert.is_true(sent > 0 and sent < 2000 or buffer > 0)
        local ok2, why2, sent2 = a:send_many(list, 0)
        assert.same({nil, "timeout"}, {ok2, why2})
        local task = ipc.task(a.send_many, a, {"the last"})
        local got = received(b, sent + sent2 + 1, 100)
        assert.equal(sent + sent2 + 1, #got)
        assert.equal("the last", got[#got])
        assert.same({true, true}, {task:join(PATIENCE)})
        assert.same({nil, "timeout"}, {b:receive(0)})
      end)

      it("tell how many were sent when nothing could be", function()
        local sent = 0
        while a:send(("x"):rep(998), 0) do sent = sent + 1 end
        while a:send("x", 0) do sent = sent + 1 end
        assert.same({nil, "timeout", 0}, {a:send_many({1, 2, 3}, 0)})
        assert.same({nil, "timeout", 0}, {a:send_many({1, 2, 3}, 0.001)})
        local c <close> = pair()
        assert.same({nil, "timeout"}, {ipc.select({{a, "send_many", {"x"}}, c}, 0)})
        for _, timeout in ipairs {0, 0.001} do
          assert.same({nil, "timeout"}, {ipc.select({{a, "send_many", {"x"}}}, timeout)})
        end
        received(b, sent, 100)
      end)

      it("raise when the task is cancelled, whether or not some were sent", function()
        local list, text = {}, ("x"):rep(998)
        for i = 1, 3000 do list[i] = text end
        local reached = false
        for _ = 1, 2 do
          local task = waits.waiting(function()
            a:send_many(list)
            a:send_many(list)
            reached = true
          end)
          task:cancel()
          assert.same({false, ipc.cancelled}, {task:join(PATIENCE)})
        end
        assert.same({nil, "timeout"}, {ipc.timeout(0.001, function()
          a:send_many(list)
          a:send_many(list)
          reached = true
        end)})
        assert.is_false(reached)
        local last = ipc.task(a.send_many, a, {"the last"})
        local got
        repeat
          got = assert(b:receive(PATIENCE))
          assert.is_true(got == text or got == "the last")
        until got == "the last"
        assert.same({true, true}, {last:join(PATIENCE)})
      end)

      it("are sent all or none by a select", function()
        local list = {}
        for i = 1, 50 do list[i] = tostring(i % 10):rep(20000) end
        assert.same({1, true}, {ipc.select {{a, "send_many", list}, a}})
        local late = ipc.task(ipc.select, {{a, "send_many", list}, a})
        local got = received(b, 100, 30)
        for i = 1, 100 do assert.is_true(got[i] == list[(i - 1) % 50 + 1]) end
        assert.same({true, 1, true}, {late:join(PATIENCE)})
      end)

      it("end as one does when the other end is closed", function()
        b:send_many {"unread", "until then"}
        b:close()
        local ok, why, sent = a:send_many {1, 2}
        if buffer == 0 then
          assert.same({nil, "closed", 0}, {ok, why, sent})
        else
          assert.is_true(ok)
          a:flush()
          assert.same({nil, "closed", 0}, {a:send_many {1, 2}})
        end
        if buffer == 0 then assert.same({"unread", "until then"}, a:receive_many(10)) end
        repeat ok, why = a:receive_many(1, PATIENCE) until not ok
        assert.equal("closed", why)
        assert.error_matches(function() b:send_many {1} end, "channel is closed")
      end)

      it("are not sent if one cannot be", function()
        assert.error_matches(function() a:send_many {1, print, 3} end, "cannot encode messages%[2%]: ")
        assert.error_matches(function() a:send_many {1, {x = {print}}} end, "cannot encode messages%[2%]%.x%[1%]: ")
        local ok, why, errno = a:send_many {1, ("x"):rep(2000001), 3}
        assert.same({nil, EMSGSIZE}, {ok, errno})
        assert.matches("messages%[2%] of 2000003 bytes is over this channel's limit of 2000000 bytes", why)
        assert.error_matches(function() a:send_many "text" end, "table expected")
        a:flush()
        assert.same({nil, "timeout"}, {b:receive(0)})
      end)
    end)
  end
end

describe("receiving many messages", function()
  after_each(channels.close)

  it("waits for the first, and brings those that have come with it", function()
    local a, b = pair()
    local task = waits.waiting(b.receive_many, b, 10)
    a:send_many {1, 2, 3}
    assert.same({true, {1, 2, 3}}, {task:join(PATIENCE)})
    local either = waits.waiting(ipc.select, {other = {a, "receive"}, many = {b, "receive_many", 2}})
    a:send_many {4, 5, 6}
    assert.same({true, "many", {4, 5}}, {either:join(PATIENCE)})
    assert.same({1, true}, {ipc.select {{a, "send_many", {7, 8}}}})
    assert.same({6, 7, 8}, received(b, 3, 3))
    for _, max in ipairs {0, -1} do
      assert.error_matches(function() b:receive_many(max) end, "max must be 1 or more, got %-?" .. -max)
    end
    assert.error_matches(function() b:receive_many() end, "max must be an integer, got no value")
  end)

  it("leaves what cannot be decoded for the next call", function()
    local a, b = pair {framing = "line", codec = "raw"}
    local ours, theirs = pair {framing = "line"}
    local writer = channels.keep(assert(ipc.process {"printf", "1\\n2\\nno json\\n4\\n", stdout = theirs}))
    theirs:close()
    writer:wait(PATIENCE)
    assert.same({1, 2}, ours:receive_many(10, PATIENCE))
    local message, why = ours:receive_many(10, PATIENCE)
    assert.is_nil(message)
    assert.matches("cannot decode", why)
    assert.same({4}, ours:receive_many(10, PATIENCE))
    assert.same({nil, "closed"}, {ours:receive_many(10, PATIENCE)})
    a:send("x")
    assert.same({"x"}, b:receive_many(2))
  end)

  it("leaves a handle for the call that wants it", function()
    local a, b = pair()
    local x, y = pair()
    a:send_many {1, 2}
    a:send_handle(x)
    a:send(3)
    assert.same({1, 2}, b:receive_many(10, PATIENCE))
    local _, _, errno = b:receive_many(10, PATIENCE)
    assert.equal(71, errno)
    b:receive_handle(PATIENCE):send("hello")
    assert.equal("hello", y:receive(PATIENCE))
    assert.same({3}, b:receive_many(10, PATIENCE))
  end)

  it("loses and doubles none when a codec receives, too", function()
    local a, b
    local more, inside = {}, false
    local codec = {encode = tostring}
    function codec.decode(text)
      if not inside and #more < 3 then
        inside = true
        table.insert(more, (b:receive(0)))
        inside = false
      end
      return text
    end
    a, b = pair {codec = codec}
    a:send_many(numbers(1, 20))
    local got = received(b, 17, 100)
    local seen = {}
    for _, list in ipairs {got, more} do
      for _, message in ipairs(list) do
        assert.is_nil(seen[message])
        seen[message] = true
      end
    end
    assert.equal(20, #got + #more)
  end)

  it("ends when a codec closes the channel", function()
    local b
    local codec = {encode = tostring}
    function codec.decode(text)
      if text == "3" then b:close() end
      return text
    end
    local a
    a, b = pair {codec = codec}
    a:send_many(numbers(1, 5))
    assert.same({"1", "2"}, b:receive_many(10))
    assert.error_matches(function() b:receive_many(10) end, "channel is closed")
  end)

  it("serves the tasks in their order", function()
    local a, b = pair()
    local first, second = waits.waiting(b.receive_many, b, 2), waits.waiting(b.receive_many, b, 2)
    a:send_many {1, 2, 3}
    local x, y = {first:join(PATIENCE)}, {second:join(PATIENCE)}
    assert.equal(1, x[2][1])
    assert.equal(2, y[2][1])
    assert.equal(3, #x[2] + #y[2])
  end)
end)

describe("many messages of a hub", function()
  after_each(channels.close)

  it("go to all clients or to one, whole and in order", function()
    local hub = channels.keep(ipc.multi_stream_channel())
    local one, two = channels.keep((hub:create_client())), channels.keep((hub:create_client()))
    assert.equal(2, hub:send_many {1, 2, 3})
    assert.is_true(hub:send_many({4, 5}, 2))
    assert.same({nil, "closed"}, {hub:send_many({1}, 77)})
    assert.same({1, 2, 3}, one:receive_many(10))
    assert.same({1, 2, 3, 4, 5}, two:receive_many(10))
    assert.error_matches(function() hub:send_many(1) end, "table expected")
    local narrow = channels.keep(ipc.multi_stream_channel {max_message = 10, codec = "raw"})
    local ok, why, errno = narrow:send_many {"short", ("x"):rep(11)}
    assert.same({nil, EMSGSIZE}, {ok, errno})
    assert.matches("^messages%[2%] of 11 bytes is over this hub's limit of 10 bytes", why)
    assert.matches("^message of 11 bytes is over this hub's limit", (select(2, narrow:send(("x"):rep(11)))))
    hub:close()
    assert.error_matches(function() hub:send_many {1} end, "hub is closed")
  end)

  it("come with the client of each", function()
    local hub = channels.keep(ipc.multi_stream_channel())
    local clients = {}
    for i = 1, 5 do clients[i] = channels.keep(hub:create_client()) end
    assert.same({nil, "timeout"}, {hub:receive_many(10, 0)})
    for i, client in ipairs(clients) do
      client:send_many {i .. " first", i .. " second"}
    end
    local next_of, count = {}, 0
    while count < 10 do
      local messages, from = hub:receive_many(4, PATIENCE)
      assert.equal(#messages, #from)
      assert.is_true(#messages >= 1 and #messages <= 4)
      for i, message in ipairs(messages) do
        assert.equal(from[i] .. (next_of[from[i]] or " first"), message)
        next_of[from[i]] = " second"
      end
      count = count + #messages
    end
    local task = waits.waiting(hub.receive_many, hub, 10)
    clients[3]:send_many {"x", "y"}
    assert.same({true, {"x", "y"}, {3, 3}}, {task:join(PATIENCE)})
  end)

  it("leave what is no message of a client to the next call", function()
    local hub = channels.keep(ipc.multi_stream_channel {max_message = 100, framing = "line"})
    local bad = hub:create_client()
    local writer = channels.keep(assert(ipc.process {"printf", "1\\n2\\nno json\\n" .. ("x"):rep(200), stdout = bad}))
    bad:close()
    writer:wait(PATIENCE)
    assert.same({{1, 2}, {1, 1}}, {hub:receive_many(10, PATIENCE)})
    local message, why, _, client = hub:receive_many(10, PATIENCE)
    assert.same({nil, 1}, {message, client})
    assert.matches("cannot decode", why)
    local nothing, _, errno = hub:receive_many(10, PATIENCE)
    assert.same({nil, EMSGSIZE}, {nothing, errno})
    assert.same({}, hub:clients())
  end)
end)
