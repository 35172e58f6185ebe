-- SPDX-License-Identifier: MIT
-- A Redis server that was out of memory refused to look after what it had handed over, as it had nothing to take away
-- first: a job for a process that stood still stayed there for half a minute. It refused as well to revive dead letters
-- that had ids.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

describe("a queue on a Redis server without memory", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  local server, q
  local function open() return assert(ipc.queue(server:key("jobs"))) end
  before_each(function()
    server = redis_process()
    q = open()
  end)
  after_each(function()
    q:close()
    server:close()
  end)

  it("takes back a job that a process was handed and has no use for", function()
    local child <close> = assert(ipc.process(function(channel)
      local mine = open()
      ipc.task(function()
        for _ = 1, 3 do waits.answered(mine) end -- it asks, and asks to hear, and hears
        channel:send("stands")
      end)
      mine:take(nil, PATIENCE)
    end))
    assert.equal("stands", child.channel:receive(PATIENCE))
    child:signal("STOP")
    assert.is_true(q:send(1, "x"))
    assert.equal("OK", server:cli("config set maxmemory 1"))
    local job = assert(q:take(nil, PATIENCE))
    assert.same({"x", 1, 0}, {job.message, job.attempt, job.deaths})
    assert.is_true(job:done())
    child:signal("KILL")
  end)

  it("revives what has an id, and finds nothing more to revive", function()
    q:send(1, "x", nil, {id = "one"})
    q:take():bury()
    assert.equal("OK", server:cli("config set maxmemory 1"))
    assert.equal(1, q:revive("one"))
    assert.equal(0, q:revive())
    assert.is_true(q:take(nil, PATIENCE):done())
  end)
end)
