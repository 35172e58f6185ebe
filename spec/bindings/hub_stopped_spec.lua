-- SPDX-License-Identifier: MIT
-- A thousand clients of one hub, of which one is stopped by SIGSTOP: the others get everything, what is kept stays
-- under the limit, and the stopped one is dealt with as the policy says. HUB_MESSAGES=10000 HUB_CLIENTS=1000 is
-- the whole of it, and takes minutes; without, only one policy has a thousand.

local ipc = require "ipc"

local PROCESSES <const>, LIMIT <const>, PATIENCE <const> = 4, 64 * 1024, 60
local SOME <const>, MANY <const> = tonumber(os.getenv("HUB_CLIENTS")) or 200, 1000
local MESSAGES <const> = tonumber(os.getenv("HUB_MESSAGES")) or 200

local text = ("x"):rep(1000)

local function number(message) return tonumber(message:match("^%d+")) end

-- The one that will be stopped: reads what comes, and says what that was.
local function stopped_client(hub)
  local client = assert(hub:create_client())
  local child = assert(ipc.process(function(channel)
    channel:send("ready")
    local count, last, why, message = 0, 0
    repeat
      message, why = client:receive()
      if message then
        assert(number(message) > last)
        count, last = count + 1, number(message)
      end
    until not message or last == MESSAGES
    channel:send {count = count, last = last, why = why}
  end))
  client:close()
  assert.equal("ready", child.channel:receive(PATIENCE))
  child:signal("STOP")
  return child
end

-- A process with many clients, each of which has to get all messages in order. It says so when all have got ten more.
local function many_clients(hub, count)
  local clients = {}
  for i = 1, count do clients[i] = assert(hub:create_client()) end
  local child = assert(ipc.process(function(channel)
    local got = 0
    local function read(client)
      for n = 1, MESSAGES do
        assert(number(assert(client:receive(PATIENCE))) == n)
        got = got + 1
        if got % (10 * count) == 0 then channel:send(n) end
      end
    end
    ipc.scope(function(scope)
      for _, client in ipairs(clients) do scope:task(read, client) end
    end)
    channel:send("all")
  end))
  for _, client in ipairs(clients) do client:close() end
  return child
end

-- As fast as the others read, so that none of them is taken for a slow one. The most bytes that were kept, and whether
-- the stopped one was waited for.
local function send_all(hub, stopped, children)
  local most, waited = 0, false
  for n = 1, MESSAGES do
    while not hub:send(n .. text, nil, 0.5) do -- "block": until everybody has room
      waited = true
      stopped:signal("CONT")
    end
    most = math.max(most, hub:stat().bytes)
    if n % 10 == 0 then
      for _, child in ipairs(children) do assert.equal(n, child.channel:receive(PATIENCE)) end
    end
  end
  return most, waited
end

describe("a client that is stopped, among a thousand", function()
  for policy, expect in pairs {
    block = function(hub, said, waited)
      assert.is_true(waited)
      assert.same({count = MESSAGES, last = MESSAGES}, said)
      assert.equal(0, hub:stat().dropped)
    end,
    drop_oldest = function(hub, said, waited)
      assert.is_false(waited)
      assert.equal(MESSAGES, said.last)
      assert.equal(MESSAGES, said.count + hub:stat().dropped)
      assert.is_true(said.count < MESSAGES)
    end,
    disconnect = function(hub, said, waited)
      assert.is_false(waited)
      assert.is_true(said.last < MESSAGES)
      assert.same({said.last, "closed", 0}, {said.count, said.why, hub:stat().dropped})
    end,
  } do
    it("is dealt with by " .. policy .. ", and the others get all #slow #nosan", function()
      local hub <close> = ipc.multi_stream_channel {backpressure = policy, limit = LIMIT, codec = "raw"}
      local stopped <close> = stopped_client(hub)
      local children, clients = {}, policy == "drop_oldest" and MANY or SOME
      for p = 1, PROCESSES do children[p] = many_clients(hub, clients // PROCESSES) end
      local most, waited = send_all(hub, stopped, children)
      for _, child in ipairs(children) do
        assert.equal("all", child.channel:receive(PATIENCE))
        assert.is_true(child:wait(PATIENCE))
      end
      assert.is_true(most <= LIMIT + clients * 10 * #(MESSAGES .. text .. "frame"))
      stopped:signal("CONT")
      expect(hub, stopped.channel:receive(PATIENCE), waited)
      local deadline = ipc.now() + PATIENCE -- that a process has ended may be known before all its channels have
      while #hub:clients() > 0 and ipc.now() < deadline do ipc.sleep(0.001) end
      assert.same({}, hub:clients())
    end)
  end
end)
