-- SPDX-License-Identifier: MIT
-- A connection that was dead, and not closed, was never noticed: what waited did not hear, for ever. And a server that
-- greeted and then answered nothing renewed the patience of waits each time: they never ended.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_liar = require "spec.support.redis_liar"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE

describe("a connection to a server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("is looked after, and not for ever #slow", function()
    local server <close> = redis_process()
    local deaf <close> = redis_liar(server)
    local closing <close> = redis_liar(server) -- closed first: it has inherited the other's pipe
    local direct <close> = assert(ipc.queue(server:key("deaf")))
    local q <close> = assert(ipc.queue(server:key("deaf", deaf.path, "&timeout=1")))
    local lost <close> = assert(ipc.queue(server:key("closing", closing.path)))
    local receives = waits.waiting(function() return q:receive(0, 2 * PATIENCE) end)
    local ends = waits.waiting(function() return lost:receive(0) end)
    assert.equal(0, #q)
    assert.equal(0, #lost)
    local deadline = ipc.now() + PATIENCE
    local function subscribed(name) return server:cli("pubsub channels"):find(name, 1, true) end
    repeat ipc.sleep(0.01) until subscribed("deaf") and subscribed("closing") or ipc.now() > deadline
    deaf:ask("deaf")
    closing:ask("close")
    assert.is_nil((lost:send(1, "x"))) -- cuts it
    assert.is_true(direct:send(1, "y"))
    assert.same({true, "y", 1}, {receives:join(2 * PATIENCE)})
    local ok, message, why = ends:join(2 * PATIENCE)
    assert.same({true, nil}, {ok, message}, why)
    local connections = tonumber(closing:ask("count"))
    assert.is_true(connections < 40, connections .. " connections")
  end)
end)
