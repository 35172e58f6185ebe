-- SPDX-License-Identifier: MIT
-- The rights that the documentation lists were all of the server's but the dangerous ones. Now they are those that are
-- needed; this asks the server itself, with a user that has just these, whether one is missing.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local ports = require "spec.support.ports"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE

describe("the rights of doc/engines.md", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("are enough for every call", function()
    local port = ports(1)
    local server <close> = redis_process("--bind 127.0.0.1 --port " .. port)
    local lines = 0
    for line in io.lines("doc/engines.md") do
      if line:find("^ACL SETUSER app ") then
        assert.equal("OK", server:cli((line:gsub("%S+", "'%0'"))))
        lines = lines + 1
      end
    end
    assert.is_true(lines > 0)
    local key = assert(ipc.redis_key(("redis://app:password@127.0.0.1:%d/1/rights?lease=1"):format(port)))

    local q <close> = assert(ipc.queue(key, {capacity = 400, codec = "raw"}))
    local receives = waits.waiting(function() return q:receive(-2, PATIENCE) end)
    for i = 1, 3 do assert.is_true(q:send(i, ("x"):rep(100), PATIENCE)) end
    assert.is_true(receives:join(PATIENCE))
    local full = waits.waiting(function() repeat assert(q:send(1, ("y"):rep(100), PATIENCE)) until false end)
    assert.is_true(q:stat().messages > 0 and #q > 0 and q:peek(2) ~= nil)
    assert.truthy(q:receive(2, PATIENCE))
    full:cancel()
    full:join()
    assert.truthy(q:receive(0, PATIENCE))

    while q:receive(0, 0) do end
    local takes = waits.waiting(function() return q:take(1, PATIENCE) end)
    assert.is_true((q:send(1, "x", PATIENCE, {id = "one", after = 0.01})))
    local _, job = takes:join(PATIENCE)
    assert.is_true(job:retry(0, "no"))
    assert.is_true(q:take(1, PATIENCE):bury("no"))
    assert.equal("one", q:dead()(q).id)
    assert.equal(1, q:revive("one"))
    local child <close> = assert(ipc.process(function() assert(q:take(1, PATIENCE)) os.exit(true) end))
    assert.is_true(child:wait(PATIENCE))
    assert.is_true(q:take(1, PATIENCE):release())
    assert.is_true(q:take(1, PATIENCE):done(1, "y"))

    local m <close> = assert(ipc.mutex(key))
    local s <close> = assert(ipc.semaphore(key, 1))
    for _, lock in ipairs{m, s} do
      assert.is_true(lock:acquire(PATIENCE))
      local next_one = waits.waiting(function() return lock:acquire(PATIENCE) and lock:release() end)
      assert.is_true(lock:release())
      assert.same({true, true}, {next_one:join(PATIENCE)})
    end
    assert.is_nil(m:holder())
    assert.equal(1, s:value())
    assert.truthy(m:token())

    local d <close> = assert(ipc.shared_data(key))
    local changes = waits.waiting(function() return d:wait("a", 0, PATIENCE) end)
    assert.truthy(d:set("a", 1))
    assert.is_true((changes:join(PATIENCE)))
    assert.equal(3, d:add("a", 2))
    assert.truthy(d:update("a", function(v) return v + 1 end))
    for name, value in pairs(d) do assert.same({"a", 4}, {name, value}) end
    assert.truthy(d:delete("a"))
    local version = d:set("b", ("x"):rep((1 << 20) - 100), nil, {ttl = 0.01})
    assert.same({nil, 0}, {d:wait("b", version, PATIENCE)})
    assert.is_true(d:change(function(change) -- with the room that the other one had
      for i = 1, 3 do change:set(tostring(i), ("x"):rep((1 << 20) - 100), {ttl = 1000}) end
      change:delete("b")
      return change:get("a") == nil
    end))
    assert.truthy(d:set("4", ("x"):rep((1 << 20) - 100)))
    for name, value in d:each("4") do assert.same({"4", (1 << 20) - 100}, {name, #value}) end
    assert.equal((1 << 20) - 100, #d:get("1"))
    assert.truthy(d:set("1", 1))
    assert.same({4, 4}, {d:stat().names, d:clear()})

    local memory <close> = assert(ipc.shared_memory(key, 4))
    local slot = waits.waiting(function() return memory:wait(1, 0, PATIENCE) end)
    memory[1] = 5
    assert.is_true((slot:join(PATIENCE)))
    memory:add(1, 2)
    memory:compare_and_swap(1, 7, 8)
    assert.equal(8, memory[1])

    server:cut() -- what is asked when it comes back
    repeat until q:peek() ~= nil or #q == 0
    for _, object in ipairs{q, m, s, d, memory} do assert.truthy(object:remove()) end
    assert.equal("", server:cli("acl log"))
  end)
end)
