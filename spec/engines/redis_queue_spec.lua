-- SPDX-License-Identifier: MIT
-- Queues on a Redis server that is started again, has no memory or is slow; what a queue leaves behind there, and how
-- often it asks.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE, waiting, answered = 60, waits.waiting, waits.answered
local ETIMEDOUT <const>, ENOMEM <const> = 110, 12

local redis = engines.redis

describe("a queue on a Redis server", function()
  if redis.missing then return pending(redis.missing) end

  local server
  lazy_setup(function() server = redis_process() end)
  lazy_teardown(function() server:close() end)
  after_each(function() server:cli("FLUSHALL") end)

  local function keys() return server:cli("KEYS '*'") end

  it("forgets what was taken by processes that are no more, after a while", function()
    local key = server:key("gone")
    local q = assert(ipc.queue(key, {codec = "raw"}))
    local child = assert(ipc.process(function(channel)
      channel:send((q:receive(1, PATIENCE)))
      ipc.sleep(PATIENCE)
    end))
    q:send(1, "taken")
    assert.equal("taken", child.channel:receive(PATIENCE))
    child:signal("KILL")
    child:wait()
    q:close()
    for _ = 1, 3 do -- some minutes pass
      server:cli("HSET 'ipclua:{gone}:queue:meta' turned 0")
      q = assert(ipc.queue(key))
      assert.equal(0, #q)
      q:close()
    end
    q = assert(ipc.queue(key, {codec = "raw"}))
    local function has(what) return server:cli("HGETALL 'ipclua:{gone}:queue:meta'"):find(what, 1, true) ~= nil end
    assert.is_false(has "\n@")
    assert.is_false(has "taken")
    q:send(1, "a message")
    assert.same({"a message", 1}, {q:receive(1, PATIENCE)})
    assert.is_true(has "a message") -- in case it is asked for again
    q:close()
    assert(ipc.queue(key)):close() -- so that it has been said
    assert.is_false(has "a message")
  end)

  it("leaves nothing behind when it is removed", function()
    local q <close> = assert(ipc.queue(server:key("removed")))
    for i = 1, 10 do q:send(i, i) end
    for _ = 1, 5 do q:receive() end
    q:remove()
    assert.equal("", keys())
  end)

  describe("when the server", function()
    it("comes back with its data goes on, and waits go on", function()
      local own <close> = redis_process("--appendonly yes --appendfsync always")
      local q <close> = assert(ipc.queue(own:key("back")))
      local t = waiting(function() return q:receive(5, PATIENCE) end)
      for i = 1, 10 do q:send(1, i) end
      own:kill()
      own:start()
      for i = 1, 10 do assert.same({i, 1}, {q:receive(1, PATIENCE)}) end
      q:send(5, "five")
      assert.same({true, "five", 5}, {t:join(PATIENCE)})
      assert.equal(0, #q)
    end)

    it("comes back without its data is removed", function()
      local own <close> = redis_process()
      local key = own:key("lost")
      local q <close> = assert(ipc.queue(key))
      local tasks = {
        waiting(function() return q:receive(5, PATIENCE) end),
        waiting(function() return select(2, ipc.select({{q, "receive", 6}}, PATIENCE)) end),
      }
      q:send(1, "x")
      own:kill()
      own:start()
      for _, t in ipairs(tasks) do assert.same({true, nil, "removed"}, {t:join(PATIENCE)}) end
      assert.same({nil, "removed"}, {q:send(1, "x", PATIENCE)})
      local again <close> = assert(ipc.queue(key))
      assert.equal(0, #again)
      assert.same({nil, "removed"}, {q:receive(1, PATIENCE)})
    end)

    it("does not come back ends what waits #slow", function()
      local own <close> = redis_process()
      local q <close> = assert(ipc.queue(own:key("dead")))
      local t = waiting(function() return q:receive(5) end)
      own:kill()
      local _, message, why, code = t:join(PATIENCE)
      assert.is_nil(message)
      assert.matches("redis server", why)
      assert.is_true(code > 0)
    end)

    it("has no memory says so, and still gives what it has", function()
      local own <close> = redis_process("--maxmemory-policy noeviction")
      local q <close> = assert(ipc.queue(own:key("oom"), {codec = "raw"}))
      for i = 1, 3 do q:send(1, tostring(i)) end
      own:cli("CONFIG SET maxmemory 1")
      for _, timeout in ipairs{0, 0.5, false} do
        local ok, message, code = q:send(1, "x", timeout or nil)
        assert.same({nil, ENOMEM}, {ok, code})
        assert.matches("OOM", message, 1, true)
      end
      assert.same({"1", 1}, {q:receive(0, PATIENCE)})
      ipc.select({{q, "receive", 1}, {q, "receive", -1}}, PATIENCE) -- one of them is put back
      assert.same({nil, "timeout"}, {q:receive(2, 0)})
      assert.equal(1, #q)
      own:cli("CONFIG SET maxmemory 0")
      assert.is_true(q:send(1, "x", PATIENCE))
      assert.equal("x", select(2, (function() local a = q:receive() return a, (q:receive()) end)()))
    end)

    it("is slow, timeouts hold #nosan", function()
      local own <close> = redis_process()
      local q <close> = assert(ipc.queue(own:key("slow")))
      local t = waiting(function() return q:receive(9, PATIENCE) end)
      answered(q)
      own:signal("STOP")
      local start = ipc.now()
      local ok, message, code = q:send(1, "x", 0.05)
      assert.same({nil, "no answer from the server in time; the send may or may not have happened", ETIMEDOUT},
        {ok, message, code})
      assert.same({nil, "timeout"}, {q:receive(2, 0.05)})
      assert.same({nil, "timeout"}, {ipc.select({{q, "receive", 2}, {q, "send", 3, "y"}}, 0.05)})
      assert.is_true(ipc.now() - start < 4)
      own:signal("CONT")
      assert.same({"x", 1}, {q:receive(0, PATIENCE)})
      q:send(9, "at last")
      assert.same({true, "at last", 9}, {t:join(PATIENCE)})
      assert.equal(0, #q)
    end)
  end)

  it("lets 10,000 tasks wait for 1,000 queues over one connection #slow #nosan", function()
    local own <close> = redis_process()
    local QUEUES <const>, EACH <const> = 1000, 10
    local queues, tasks, got = {}, {}, 0
    for i = 1, QUEUES do queues[i] = assert(ipc.queue(own:key("many." .. i))) end
    for n = 0, QUEUES * EACH - 1 do
      tasks[#tasks + 1] = ipc.task(function()
        local message = assert(queues[n % QUEUES + 1]:receive(n // QUEUES % 2, PATIENCE))
        got = got + message
      end)
    end
    local function requests() return tonumber(own:cli("INFO commandstats"):match("cmdstat_evalsha:calls=(%d+)")) end
    repeat -- until all is quiet: nothing was asked but for what is asked here
      local before = requests()
      ipc.sleep(0.2)
      answered(queues[1])
    until requests() == before + 1
    local _, connections = own:cli("CLIENT LIST"):gsub("id=", "")
    assert.equal(2, connections) -- one of them is redis-cli's
    local before = requests()
    queues[500]:send(1, 1)
    while got == 0 do ipc.sleep(0.01) end
    ipc.sleep(0.1)
    assert.is_true(requests() - before <= 4)
    for i, q in ipairs(queues) do
      for _ = i == 500 and 2 or 1, EACH do q:send(1, 1) end
    end
    for _, t in ipairs(tasks) do assert(t:join(PATIENCE)) end
    assert.equal(QUEUES * EACH, got)
    for _, q in ipairs(queues) do q:close() end
  end)
end)
