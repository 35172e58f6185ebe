-- SPDX-License-Identifier: MIT
-- A server that evicts keys took one of an object's: a mutex had two holders, and queues lost messages one by one.
-- What only waited was never told that the server had lost all its data.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE

describe("what a server loses", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  local server
  lazy_setup(function() server = redis_process() end)
  lazy_teardown(function() server:close() end)

  it("a part of, is removed", function()
    local key = server:key("part")
    for _, word in ipairs{"held", "tokens", "meta"} do
      local m <close> = assert(ipc.mutex(key))
      m:acquire()
      server:cli("del ipclua:{part}:mutex:" .. word)
      assert.same({nil, "removed"}, {m:acquire(0)}, word)
      assert.same({nil, "removed"}, {m:release()}, word)
    end
    for _, word in ipairs{"order", "types", "meta"} do
      for _, wanted in ipairs{0, 1, -2} do
        local q <close> = assert(ipc.queue(key))
        for i = 1, 4 do q:send(i % 2 + 1, i) end
        server:cli("del ipclua:{part}:queue:" .. word)
        local got
        repeat got = q:receive(wanted, 0) until not got
        assert.same({nil, "removed"}, {q:receive(wanted, 0)}, word .. wanted)
        assert.same({nil, "removed"}, {q:send(1, 1)}, word)
      end
    end
    for _, word in ipairs{"values", "names"} do
      local d <close> = assert(ipc.shared_data(key))
      d:set("a", 1)
      server:cli("del ipclua:{part}:data:" .. word)
      assert.is_false((pcall(function() for _ in pairs(d) do d:get("a") end end)), word)
      assert.same({nil, "removed"}, {d:get("a")}, word)
    end
  end)

  it("all of, is removed, and what waits is told", function()
    local key = server:key("all")
    local q <close> = assert(ipc.queue(key))
    local d <close> = assert(ipc.shared_data(key))
    local m <close> = assert(ipc.mutex(key))
    local mem <close> = assert(ipc.shared_memory(key, 2))
    m:acquire()
    local tasks = {
      waits.waiting(function() return q:receive(nil, PATIENCE) end),
      waits.waiting(function() return d:wait("z", 0, PATIENCE) end),
      waits.waiting(function() return m:acquire(PATIENCE) end),
      waits.waiting(function() return mem:wait(0, 0, PATIENCE) end),
    }
    m:holder() -- what was asked before has been heard
    server:cli("flushall")
    for _, t in ipairs(tasks) do assert.same({true, nil, "removed"}, {t:join(PATIENCE)}) end
  end)

  it("as it likes, is warned of", function()
    finally(function() server:cli("config set maxmemory-policy noeviction") end)
    for policy, warnings in pairs{["allkeys-lru"] = 3, ["volatile-ttl"] = 3, noeviction = 0} do
      server:cli("config set maxmemory-policy " .. policy)
      local text = peer.output(([[%s -e 'warn "@on" local ipc = require "ipc" for _, noun in ipairs{"queue", "mutex",
        "shared_data"} do ipc[noun]("%s") end' 2>&1]]):format(os.getenv("IPCLUA") or "ipclua", server:text("warned")))
      local _, count = text:gsub("Lua warning: [%w ]+ redis", "")
      assert.equal(warnings, count, policy .. ": " .. text)
    end
  end)
end)
