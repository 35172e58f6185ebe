-- SPDX-License-Identifier: MIT
-- A message to a queue on a server woke every process that waited there, and all of them asked: with N processes it
-- cost the server N + 2 scripts. It calls the first in line now; one that does not come is passed over after a moment.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

describe("processes that wait for one queue on a server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  local server
  lazy_setup(function() server = redis_process() end)
  lazy_teardown(function() server:close() end)
  after_each(function() server:cli("flushall") end)

  -- Says what it got; it waits again when `seen` processes do.
  local function receiver(key, wanted)
    local child = assert(ipc.process(function(channel)
      local q <close> = assert(ipc.queue(key))
      local t = ipc.task(function()
        repeat
          local message = q:receive(wanted, PATIENCE)
          channel:send(message)
        until not message or message == "stop"
      end)
      ipc.sleep(0)
      for _ = 1, 3 do waits.answered(q) end -- it asks, and asks to hear, and is heard
      channel:send("waits")
      t:join()
    end))
    assert.equal("waits", child.channel:receive(PATIENCE))
    return child
  end

  it("are called one by one", function()
    local CHILDREN <const>, MESSAGES <const> = 8, 24
    local key = server:key("herd")
    local q <close> = assert(ipc.queue(key))
    local children, cases = {}, {}
    for i = 1, CHILDREN do
      children[i] = receiver(key, ({0, 1, -5})[i % 3 + 1])
      cases[i] = children[i].channel
    end
    local got, sent, called = {}, 0, 0
    local function deliver()
      sent = sent + 1
      q:send(1, sent)
      local who, message = ipc.select(cases, PATIENCE)
      assert.equal(sent, message)
      if not got[who] then called = called + 1 end
      got[who] = true
    end
    -- A process that is slow to come is passed over, which takes more scripts: on a busy machine, not every time.
    local scripts
    for _ = 1, 5 do
      server:cli("config resetstat")
      for _ = 1, MESSAGES do deliver() end
      scripts = tonumber(server:cli("info commandstats"):match("cmdstat_evalsha:calls=(%d+)"))
      if scripts < 6 * MESSAGES then break end
    end
    assert.is_true(scripts < 6 * MESSAGES, scripts) -- there were 10 for each
    local deadline = ipc.now() + PATIENCE
    while called < CHILDREN do
      assert.is_true(ipc.now() < deadline, "one was never called")
      deliver()
    end
    for _ = 1, CHILDREN do q:send(1, "stop") end
    for _, child in ipairs(children) do assert.is_true(child:wait(PATIENCE)) end
  end)

  it("get what one that is stopped was called for", function()
    local key = server:key("stopped")
    local q <close> = assert(ipc.queue(key))
    for _, signal in ipairs{"STOP", "KILL"} do
      local first <close> = receiver(key, 0)
      local second <close> = receiver(key, 1)
      first:signal(signal)
      q:send(1, "stop")
      assert.equal("stop", second.channel:receive(PATIENCE))
      if signal == "STOP" then
        first:signal("CONT")
        q:send(1, "stop")
        assert.equal("stop", first.channel:receive(PATIENCE))
      end
    end
    assert.equal(0, #q)
  end)

  it("send one by one when there is room", function()
    local key = server:key("room")
    local q <close> = assert(ipc.queue(key, {capacity = 1000, codec = "raw"}))
    for _ = 1, 10 do q:send(1, ("x"):rep(100)) end
    local children = {}
    for i = 1, 6 do
      children[i] = assert(ipc.process(function(channel)
        local mine <close> = assert(ipc.queue(key, {codec = "raw"}))
        local t = ipc.task(function() return mine:send(1, (tostring(i)):rep(100), PATIENCE) end)
        ipc.sleep(0)
        for _ = 1, 3 do waits.answered(mine) end
        channel:send("waits")
        channel:send(select(2, t:join()) or tostring(select(3, t:join())))
      end))
      assert.equal("waits", children[i].channel:receive(PATIENCE))
    end
    children[2]:signal("KILL")
    children[2]:wait()
    for i, child in ipairs(children) do
      if i ~= 2 then
        assert.equal("x", q:receive(0, PATIENCE):sub(1, 1))
        assert.is_true(child.channel:receive(PATIENCE))
      end
      child:close()
    end
    for _ = 1, 5 do q:receive(0, PATIENCE) end
    for _, i in ipairs{1, 3, 4, 5, 6} do assert.equal(tostring(i), q:receive(0, PATIENCE):sub(1, 1)) end
  end)

  it("get a message that was put back", function()
    local key = server:key("back")
    local q <close> = assert(ipc.queue(key))
    local other = receiver(key, 7)
    q:send(1, "one")
    server:pause()
    local t = ipc.task(function() return ipc.select({{q, "receive", 1}, {q, "receive", -9}}, PATIENCE) end)
    server:blocked()
    server:unpause()
    assert.same({true, 1, "one", 1}, {t:join(PATIENCE)})
    q:send(7, "stop")
    assert.equal("stop", other.channel:receive(PATIENCE))
    other:close()
    assert.equal(0, #q)
  end)
end)
