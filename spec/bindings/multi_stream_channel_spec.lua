-- SPDX-License-Identifier: MIT
-- The hub: clients that come and go, messages to all, to one and from any.

local ipc = require "ipc"

local PATIENCE = 20

local function waiting(fn, ...)
  local t = ipc.task(fn, ...)
  for _ = 1, 3 do ipc.yield() end
  assert.equal("waiting", t:status())
  return t
end

-- of which nothing is there
local function fresh_path()
  local path = os.tmpname()
  os.remove(path)
  return path
end

local function clients_of(hub, n)
  local list = {}
  for i = 1, n do list[i] = assert(hub:create_client()) end
  return list
end

describe("a hub", function()
  local hub
  before_each(function() hub = ipc.multi_stream_channel() end)
  after_each(function() hub:close() end)

  it("sends to all, and says how many that were", function()
    assert.equal(0, hub:send("nobody"))
    local clients = clients_of(hub, 3)
    assert.same({1, 2, 3}, hub:clients())
    assert.equal(3, hub:send {text = "all", n = 1.5})
    for _, client in ipairs(clients) do assert.same({text = "all", n = 1.5}, client:receive(PATIENCE)) end
    assert.equal(3, hub:send("again"))
    for _, client in ipairs(clients) do assert.equal("again", client:receive(PATIENCE)) end
  end)

  it("sends to one", function()
    local clients = clients_of(hub, 3)
    assert.is_true(hub:send("two", 2))
    assert.equal("two", clients[2]:receive(PATIENCE))
    for _, i in ipairs{1, 3} do assert.same({nil, "timeout"}, {clients[i]:receive(0)}) end
    assert.same({nil, "closed"}, {hub:send("nobody", 4)})
  end)

  it("receives from any, and says from which", function()
    local clients = clients_of(hub, 3)
    assert.same({nil, "timeout"}, {hub:receive(0)})
    local t = waiting(function() return hub:receive(PATIENCE) end)
    clients[3]:send("three")
    assert.same({true, "three", 3}, {t:join(PATIENCE)})
    for i, client in ipairs(clients) do client:send {i} end
    local got = {}
    for message, client in hub:messages() do
      assert.same({client}, message)
      got[#got + 1] = client
      if #got == 3 then break end
    end
    table.sort(got)
    assert.same({1, 2, 3}, got)
  end)

  it("gives all a turn, however much one has to say", function()
    local clients = clients_of(hub, 2)
    for i = 1, 50 do clients[1]:send(i) end
    clients[2]:send("me too")
    local before = 0
    while true do
      local message = hub:receive(PATIENCE)
      if message == "me too" then break end
      before = before + 1
    end
    assert.is_true(before < 50)
  end)

  it("has clients in other processes", function()
    local children = {}
    for i = 1, 3 do
      local client = assert(hub:create_client())
      children[i] = assert(ipc.process(function()
        local heard = client:receive()
        client:send {i, heard}
      end))
      client:close()
    end
    assert.equal(3, hub:send("hello"))
    local seen = {}
    for _ = 1, 3 do
      local message, client = hub:receive(PATIENCE)
      assert.same({client, "hello"}, message)
      seen[client] = true
    end
    assert.same({true, true, true}, seen)
    for _, child in ipairs(children) do assert.is_true(child:wait(PATIENCE)) end
    assert.equal(0, hub:send("nobody is left"))
    assert.same({}, hub:clients())
  end)

  it("forgets a client that has gone, and never uses a number twice", function()
    local clients = clients_of(hub, 3)
    clients[2]:send("last words")
    clients[2]:close()
    assert.same({"last words", 2}, {hub:receive(PATIENCE)})
    assert.same({nil, "timeout"}, {hub:receive(0)})
    assert.same({1, 3}, hub:clients())
    hub:create_client()
    assert.same({1, 3, 4}, hub:clients())
    assert.equal(3, hub:stat().clients)
    assert.is_true(hub:disconnect(3))
    assert.is_false(hub:disconnect(3))
    assert.same({nil, "closed"}, {clients[3]:receive(PATIENCE)})
    assert.same({1, 4}, hub:clients())
  end)

  it("finds each of many clients by its number, also when others have gone", function()
    local clients = {}
    for i = 1, 100 do
      clients[i] = assert(hub:create_client())
      if i % 3 == 0 then assert.is_true(hub:disconnect(i - 1)) end
    end
    for i = 1, 102 do
      local there = i <= 100 and i % 3 ~= 2
      local sent, why = hub:send(i, i)
      if there then
        assert.is_true(sent)
        assert.equal(i, clients[i]:receive(PATIENCE))
      else
        assert.same({nil, "closed"}, {sent, why})
      end
    end
  end)

  it("gathers what it sends, for all and for each, if it has a buffer", function()
    local many <close> = ipc.multi_stream_channel {buffer = 1000, limit = 500, codec = "raw"}
    local clients = clients_of(many, 3)
    for i = 1, 20 do -- more than the limit: what is only gathered is in nobody's way
      assert.equal(3, many:send(("%99d"):format(i)))
      assert.is_true(many:send("for the second", 2))
    end
    assert.is_true(many:flush())
    for which, client in ipairs(clients) do
      for i = 1, 20 do
        assert.equal(i, tonumber(client:receive(0)))
        if which == 2 then assert.equal("for the second", client:receive(0)) end
      end
      assert.same({nil, "timeout"}, {client:receive(0)})
      client:send(tostring(which))
    end
    for which = 1, 3 do assert.same({tostring(which), which}, {many:receive(PATIENCE)}) end
    many:send("the last")
    many:close()
    for _, client in ipairs(clients) do
      assert.same({"the last", nil, "closed"}, {client:receive(PATIENCE), client:receive(PATIENCE)})
    end
  end)

  it("loses nothing that a killed client had sent whole", function()
    local client = assert(hub:create_client())
    local child = assert(ipc.process(function(channel)
      for i = 1, 100 do client:send(i) end
      channel:send("sent")
      channel:receive()
    end))
    client:close()
    assert.equal("sent", child.channel:receive(PATIENCE))
    child:signal("KILL")
    child:wait(PATIENCE)
    for i = 1, 100 do assert.same({i, 1}, {hub:receive(PATIENCE)}) end
    assert.same({nil, "timeout"}, {hub:receive(0)})
    assert.same({}, hub:clients())
  end)

  it("wakes the waiters when it is closed", function()
    local clients = clients_of(hub, 2)
    local t = waiting(function() return hub:receive() end)
    local u = waiting(function() return clients[1]:receive() end)
    hub:close()
    assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
    assert.same({true, nil, "closed"}, {u:join(PATIENCE)})
    hub:close()
    assert.error_matches(function() hub:send("x") end, "hub is closed")
    assert.error_matches(function() hub:receive() end, "hub is closed")
    assert.error_matches(function() hub:create_client() end, "hub is closed")
    assert.matches("closed", tostring(hub))
  end)

  it("takes part in a select, and loses no message there", function()
    local other <close> = ipc.multi_stream_channel()
    local a, b = hub:create_client(), other:create_client()
    a:send("a")
    b:send("b")
    assert.same({1, "a", 1}, {ipc.select({hub, other}, PATIENCE)})
    assert.same({2, "b", 1}, {ipc.select({hub, other}, PATIENCE)})
    assert.same({nil, "timeout"}, {ipc.select({hub, other}, 0)})
    local t = waiting(function() return ipc.select({hub, other}, PATIENCE) end)
    b:send("later")
    assert.same({true, 2, "later", 1}, {t:join(PATIENCE)})
  end)

  it("says which client sent what cannot be decoded, and goes on with it", function()
    local path = fresh_path()
    assert(hub:listen(path))
    local raw <close> = assert(ipc.connect(path, {codec = "raw"}))
    raw:send("{no JSON")
    raw:send("1")
    local message, why, errno, client = hub:receive(PATIENCE)
    assert.same({nil, nil, 1}, {message, errno, client})
    assert.matches("cannot decode", why)
    assert.same({1, 1}, {hub:receive(PATIENCE)})
  end)

  it("sends a client away whose frame is too long, and no other", function()
    hub:close()
    hub = ipc.multi_stream_channel {max_message = 100}
    local good = hub:create_client()
    local message, why, errno = good:send(("x"):rep(200))
    assert.same({nil, 90}, {message, errno})
    assert.matches("over this channel's limit of 100 bytes", why)
    local path = fresh_path()
    assert(hub:listen(path))
    local raw <close> = assert(ipc.connect(path, {codec = "raw"}))
    raw:send(("x"):rep(200))
    good:send("fine")
    local seen = {}
    for _ = 1, 2 do
      local got, text, code, client = hub:receive(PATIENCE)
      if got then
        assert.same({"fine", 1}, {got, text})
        seen.good = true
      else
        assert.same({90, 2}, {code, client})
        assert.matches("100 bytes", text)
        seen.bad = true
      end
    end
    assert.same({good = true, bad = true}, seen)
    assert.same({nil, "closed"}, {raw:receive(PATIENCE)})
    assert.same({1}, hub:clients())
    assert.is_true(hub:send("still there", 1))
    assert.equal("still there", good:receive(PATIENCE))
  end)

  it("sends nothing that the codec cannot carry, or that is too long", function()
    local client = hub:create_client()
    assert.error_matches(function() hub:send {items = {print}} end, "message.items%[1%]")
    hub:send("fine")
    assert.equal("fine", client:receive(PATIENCE))
    assert.same({nil, "timeout"}, {client:receive(0)})
  end)

  it("belongs to the process that made it", function()
    hub:create_client()
    local child = assert(ipc.process(function(channel)
      channel:send {pcall(hub.send, hub, "x")}
      hub:close()
    end))
    local ok, why = table.unpack(child.channel:receive(PATIENCE))
    assert.is_false(ok)
    assert.matches("hub belongs to process", why)
    child:wait(PATIENCE)
    assert.same({1}, hub:clients())
  end)

  it("raises for what is wrong", function()
    assert.error_matches(function() ipc.multi_stream_channel {backpressure = "wait"} end,
      "backpressure must be .* \"disconnect\", got 'wait'")
    assert.error_matches(function() ipc.multi_stream_channel {limit = 0} end, "limit must be bytes, 1 or more, got 0")
    assert.error_matches(function() ipc.multi_stream_channel {codec = "xml"} end, "codec")
    assert.error_matches(function() hub:send() end, "bad argument")
    assert.error_matches(function() hub:send("x", 0) end, "client must be 1 or more, got 0")
    assert.error_matches(function() hub:send("x", 1, -1) end, "timeout")
    assert.matches("^ipc.MultiStreamChannel %(0 clients%)$", tostring(hub))
  end)
end)
