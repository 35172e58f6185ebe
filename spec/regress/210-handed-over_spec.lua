-- SPDX-License-Identifier: MIT
-- A message called a process that waited for it, which came and took it: two more trips to the server. The sender's
-- script hands it over now, and the process hears it with the call. What is on its way then must not be lost, repeated
-- or overtaken, whatever becomes of the process, its connection or its wait.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE <const> = 3 * waits.PATIENCE

describe("a message that is handed over by a server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  local server, proxy, q, direct
  lazy_setup(function() server = redis_process() end)
  lazy_teardown(function()
    server:close()
    peer.clean()
  end)
  before_each(function()
    local path = os.tmpname()
    os.remove(path)
    proxy = peer.start("proxy.py", path, server.folder .. "/socket")
    proxy.path = path
    q = assert(ipc.queue(server:key("handed", path)))
    direct = assert(ipc.queue(server:key("handed")))
  end)
  after_each(function()
    q:close()
    direct:close()
    proxy:close()
    os.remove(proxy.path)
    server:cli("flushall")
  end)

  -- A task that stands in line, and is heard.
  local function stands(...)
    local t = waits.waiting(q.receive, q, ...)
    for _ = 1, 3 do waits.answered(q) end
    return t
  end

  local function is_empty() assert.same({0, nil, "timeout"}, {#direct, direct:receive(0, 0)}) end

  it("comes, whatever its size", function()
    for _, size in ipairs{0, 1, 60000, 70000, 1000000} do
      local t = stands(-5, PATIENCE)
      local message = ("x"):rep(size)
      assert.is_true(direct:send(3, message, PATIENCE))
      assert.same({true, message, 3}, {t:join(PATIENCE)})
    end
    is_empty()
  end)

  it("comes once more when it was lost with the connection", function()
    for i, wanted in ipairs{0, 1, -9} do
      local t = stands(wanted, PATIENCE)
      proxy:ask("deafen")
      direct:send(1, i)
      assert.equal(0, #direct) -- it is on its way
      direct:send(1, i + 10)
      proxy:ask("cut")
      proxy:ask("go")
      assert.same({true, i, 1}, {t:join(PATIENCE)})
      assert.same({i + 10, 1}, {q:receive(1, PATIENCE)})
    end
    is_empty()
  end)

  it("comes once when the confirmation was lost with the connection", function()
    for i = 1, 3 do
      local t = stands(1, PATIENCE)
      proxy:ask("hold")
      direct:send(1, i)
      proxy:ask("go")
      assert.same({true, i, 1}, {t:join(PATIENCE)})
      proxy:ask("cut")
    end
    waits.answered(q)
    assert.is_nil(server:cli("hkeys ipclua:{handed}:queue:meta"):find("h@"))
    is_empty()
  end)

  it("and one that was received stay so when the request behind it never came to the server", function()
    for i = 1, 3 do
      direct:send(1, i)
      assert.same({i, 1}, {q:receive(1, PATIENCE)})
      proxy:ask("refuse")
      local ok, _, code = q:receive(1, 0)
      assert.is_nil(ok)
      assert.truthy(code)
      proxy:ask("accept")
      waits.answered(q)
    end
    is_empty()
  end)

  it("is asked for when it comes late", function()
    local t = stands(0, PATIENCE)
    proxy:ask("hold")
    direct:send(1, "late")
    ipc.sleep(0.4) -- longer than it is certainly ours
    proxy:ask("go")
    assert.same({true, "late", 1}, {t:join(PATIENCE)})
    is_empty()
  end)

  it("goes back to its place when its wait is over in the same moment", function()
    for _, how in ipairs{"timeout", "cancel", "select", "close"} do
      local own = how == "close" and assert(ipc.queue(server:key("handed", proxy.path))) or q
      local other <close> = assert(ipc.queue(ipc.private))
      local t = waits.waiting(function()
        if how == "select" then return ipc.select({{own, "receive", 1}, {other, "receive"}}, PATIENCE) end
        return own:receive(1, how == "timeout" and 3 or PATIENCE)
      end)
      for _ = 1, 3 do waits.answered(own) end
      proxy:ask("hold")
      direct:send(1, 1)
      direct:send(1, 2)
      assert.equal(1, #direct) -- the first one is on its way
      local ends = {
        cancel = function() t:cancel() end,
        select = function() other:send(1, "x") end,
        close = function() own:close() end,
      }
      if ends[how] then ends[how]() end
      t:join(PATIENCE)
      proxy:ask("go")
      waits.answered(q)
      local got = {}
      for i = 1, 2 do got[i] = q:receive(0, PATIENCE) end
      assert.same({1, 2}, got, how)
      is_empty()
    end
  end)

  -- Says what it gets.
  local function receiver()
    local child = assert(ipc.process(function(channel)
      local mine <close> = assert(ipc.queue(server:key("handed")))
      local t = ipc.task(function()
        for message in mine:messages() do channel:send(message) end
      end)
      ipc.sleep(0)
      for _ = 1, 3 do waits.answered(mine) end
      channel:send("stands")
      t:join()
    end))
    assert.equal("stands", child.channel:receive(PATIENCE))
    return child
  end

  it("is another's when its process is stopped, and never both's", function()
    local stopped <close> = receiver()
    stopped:signal("STOP")
    direct:send(1, 1)
    assert.equal(0, #direct) -- it is with the process that does not take it
    local other <close> = receiver()
    assert.equal(1, other.channel:receive(PATIENCE))
    stopped:signal("CONT")
    for i = 2, 9 do direct:send(1, i) end
    local got = {}
    for _ = 2, 9 do
      local _, message = ipc.select({stopped.channel, other.channel}, PATIENCE)
      got[#got + 1] = message
    end
    table.sort(got)
    assert.same({2, 3, 4, 5, 6, 7, 8, 9}, got)
    is_empty()
  end)

  it("is another's when its process is killed", function()
    local killed <close> = receiver()
    killed:signal("STOP")
    direct:send(1, 1)
    killed:signal("KILL")
    killed:wait()
    assert.same({1, 1}, {direct:receive(0, PATIENCE)})
    is_empty()
  end)

  it("leaves no name behind for each time that its queue was opened", function()
    for i = 1, 20 do
      local own <close> = assert(ipc.queue(server:key("handed")))
      own:send(1, i)
      assert.equal(i, own:receive(1, PATIENCE))
      assert.is_nil((own:receive(2, 0)))
    end
    local names = server:cli("hget ipclua:{handed}:queue:meta deliveries")
    assert.is_true(select(2, names:gsub("@", "")) <= 3, names)
  end)

  it("is the parent's after a fork", function()
    local t = stands(0, PATIENCE)
    local child <close> = assert(ipc.process(function(channel)
      channel:send((q:receive(7, PATIENCE)))
    end))
    direct:send(1, "parent's")
    assert.same({true, "parent's", 1}, {t:join(PATIENCE)})
    direct:send(7, "child's")
    assert.equal("child's", child.channel:receive(PATIENCE))
    is_empty()
  end)
end)
