-- SPDX-License-Identifier: MIT
-- Queues on a Redis server when connections are cut and processes are killed: what was accepted is received, once.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE, waiting, answered = 60, waits.waiting, waits.answered
local ECONNABORTED <const> = 103

local redis = engines.redis

describe("a queue on a Redis server", function()
  if redis.missing then return pending(redis.missing) end

  local server
  lazy_setup(function() server = redis_process() end)
  lazy_teardown(function()
    server:close()
    peer.clean()
  end)
  after_each(function() server:cli("FLUSHALL") end)

  local function proxy_to(which)
    local path = os.tmpname()
    os.remove(path)
    local proxy = peer.start("proxy.py", path, which.folder .. "/socket")
    proxy.path = path
    return proxy
  end

  describe("when the connection is lost", function()
    local proxy, q, direct
    before_each(function()
      proxy = proxy_to(server)
      q = assert(ipc.queue(server:key("lost", proxy.path)))
      direct = assert(ipc.queue(server:key("lost")))
    end)
    after_each(function()
      q:close()
      direct:close()
      proxy:close()
      os.remove(proxy.path)
    end)

    -- The server has got it, as there are no longer so many messages as before, and the answer is lost.
    local function lose_answer(before)
      local deadline = ipc.now() + PATIENCE
      while #direct == before do
        assert.is_true(ipc.now() < deadline, "the server has not got it")
        ipc.sleep(0.005)
      end
      proxy:ask("cut")
      proxy:ask("go")
    end

    it("tells of a send whose answer was lost that it may have happened", function()
      proxy:ask("deafen")
      local t = waiting(function() return q:send(1, "x") end)
      lose_answer(0)
      local _, ok, message, code = t:join(PATIENCE)
      assert.same({nil, "connection lost; the send may or may not have happened", ECONNABORTED}, {ok, message, code})
      assert.same({"x", 1}, {q:receive(1, PATIENCE)}) -- it has
      assert.equal(0, #q)
    end)

    it("gives the message whose answer was lost once more", function()
      for i = 1, 3 do q:send(1, i) end
      for i, wanted in ipairs{0, 1, -9} do
        proxy:ask("deafen")
        local t = waiting(function() return q:receive(wanted, PATIENCE) end)
        lose_answer(4 - i)
        local _, message = t:join(PATIENCE)
        assert.equal(i, message)
      end
      assert.equal(0, #q)
    end)

    it("puts a message back that is not waited for any more", function()
      for i = 1, 3 do q:send(1, i) end
      proxy:ask("deafen")
      local t = ipc.task(function() return ipc.select({{q, "receive", 1}, {q, "receive", 2}}, 0.03) end)
      assert.same({true, nil, "timeout"}, {t:join(PATIENCE)})
      proxy:ask("cut")
      proxy:ask("go")
      for i = 1, 3 do assert.same({i, 1}, {q:receive(1, PATIENCE)}) end
    end)

    it("goes on waiting for messages and for room", function()
      local receiver = waiting(function() return q:receive(7, PATIENCE) end)
      answered(q)
      proxy:ask("cut")
      direct:send(7, "after the cut")
      assert.same({true, "after the cut", 7}, {receiver:join(PATIENCE)})
      local large = ("y"):rep(300000)
      while direct:send(1, large, 0) do end
      local sender = waiting(function() return q:send(2, large, PATIENCE) end)
      answered(q)
      proxy:ask("cut")
      direct:receive(1)
      assert.same({true, true}, {sender:join(PATIENCE)})
    end)

    it("keeps its timeouts while there is no server", function()
      proxy:ask("refuse")
      for _ = 1, 2 do
        local start = ipc.now()
        assert.same({nil, "timeout"}, {q:receive(1, 0.1)})
        assert.same({nil, "timeout"}, {q:send(1, "x", 0.1)})
        assert.is_true(ipc.now() - start < 5)
      end
      local _, message, code = q:receive(1, 0)
      assert.matches("^queue redis%+unix:.*: redis server .*: ", message)
      assert.is_true(code > 0)
      proxy:ask("accept")
      assert.is_true(q:send(1, "x", PATIENCE))
      assert.same({"x", 1}, {q:receive(1, PATIENCE)})
    end)
  end)

  -- So many processes, which have said that they are ready.
  local function children(n, fn)
    local list = {}
    for i = 1, n do list[i] = assert(ipc.process(fn, i)) end
    for _, child in ipairs(list) do assert.equal("ready", child.channel:receive(PATIENCE)) end
    return list
  end

  it("loses and repeats nothing between 8 processes whose connections are cut #nosan", function()
    local proxy <close> = proxy_to(server)
    local key = server:key("storm", proxy.path)
    local EACH, CUTS <const> = 400, 60
    local all <close> = assert(ipc.queue(server:key("storm"), {capacity = 2000}))
    local senders = children(4, function(channel, s)
      local q <close> = assert(ipc.queue(key))
      channel:send("ready")
      local accepted, perhaps = {}, {}
      for n = 1, EACH do
        local ok, _, code = q:send(s, n, PATIENCE)
        if ok then
          accepted[#accepted + 1] = n
        else
          assert(code == ECONNABORTED)
          perhaps[#perhaps + 1] = n
        end
      end
      channel:send{accepted, perhaps}
    end)
    local receivers = children(4, function(channel, r)
      local q <close> = assert(ipc.queue(key))
      channel:send("ready")
      local got = {}
      local ways = {0, r, -r}
      for i = 1, math.huge do
        local message, type, code = q:receive(ways[i % 3 + 1], 0.01 * (i % 4)) -- at once it may be told of the cut
        if message == nil and not code then message, type = q:receive(0, 1) end
        if message == false then break end
        if message then got[#got + 1] = {type, message} else assert(code or type == "timeout" or channel:send(type)) end
      end
      channel:send(got)
    end)
    for _ = 1, CUTS do
      ipc.sleep(math.random() * 0.02)
      proxy:ask("cut")
    end
    local sent, perhaps = {}, {}
    for s, child in ipairs(senders) do
      local lists = assert(child.channel:receive(PATIENCE))
      sent[s], perhaps[s] = lists[1], {}
      for _, n in ipairs(lists[2]) do perhaps[s][n] = true end
    end
    for _ = 1, 4 do all:send(99, false) end
    local got = {{}, {}, {}, {}}
    for _, child in ipairs(receivers) do
      local list = assert(child.channel:receive(PATIENCE))
      assert.is_table(list)
      for _, m in ipairs(list) do
        assert.is_nil(got[m[1]][m[2]], "received twice")
        got[m[1]][m[2]] = true
      end
    end
    for s, list in ipairs(sent) do
      for _, n in ipairs(list) do
        assert.is_true(got[s][n], ("%d of %d was accepted and not received"):format(n, s))
        got[s][n] = nil
      end
      for n in pairs(got[s]) do assert.is_true(perhaps[s][n], "received and not sent") end
    end
    assert.equal(0, #all)
    for _, list in ipairs{senders, receivers} do
      for _, child in ipairs(list) do child:close() end
    end
  end)

  -- Senders and receivers that are killed at any moment, and others in their place.
  it("loses only what a receiver took with it when processes are killed #slow #nosan", function()
    local KILLS <const> = 60
    local key = server:key("killed")
    local q <close> = assert(ipc.queue(key, {capacity = 20000}))
    local sent, accepted, got = {0, 0, 0}, {{}, {}, {}}, {{}, {}, {}}
    local living, kills, deaths = {}, 0, 0
    ipc.scope(function(scope)
      for s = 1, 3 do
        scope:task(function()
          while kills < KILLS do
            local child <close> = assert(ipc.process(function(channel, n)
              while true do
                n = n + 1
                channel:send(n)
                assert(q:send(s, n, PATIENCE))
                channel:send(-n)
              end
            end, sent[s]))
            living[#living + 1] = child
            for n in child.channel:messages() do
              if n > 0 then sent[s] = n else accepted[s][-n] = true end
            end
            child:wait()
          end
        end)
        scope:task(function()
          while kills < KILLS do
            local child <close> = assert(ipc.process(function(channel)
              while true do
                local n, from = q:receive(({0, s, -s})[math.random(3)], PATIENCE)
                channel:send{from, assert(n, from)}
              end
            end))
            living[#living + 1] = child
            for m in child.channel:messages() do
              assert.is_nil(got[m[1]][m[2]], "received twice")
              got[m[1]][m[2]] = true
            end
            deaths = deaths + 1
            child:wait()
          end
        end)
      end
      while kills < KILLS do
        ipc.sleep(math.random() * 0.02)
        if #living > 0 then
          table.remove(living, math.random(#living)):signal("KILL")
          kills = kills + 1
        end
      end
      for _, child in ipairs(living) do child:signal("KILL") end
    end)
    while #q > 0 do
      local n, s = q:receive(0, PATIENCE)
      assert.is_nil(got[s][n], "received twice")
      got[s][n] = true
    end
    local lost = 0
    for s = 1, 3 do
      for n in pairs(accepted[s]) do lost = lost + (got[s][n] and 0 or 1) end
    end
    assert.is_true(lost <= deaths, lost .. " lost by " .. deaths .. " receivers")
  end)
end)
