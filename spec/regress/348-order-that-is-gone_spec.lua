-- SPDX-License-Identifier: MIT
-- The key in which a Redis server keeps the order of messages was deleted, as a server does that evicts. receive said
-- that the queue is removed; take waited for ever, beside jobs that stat counted.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

describe("a queue on a Redis server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("is removed for those that take, too, when a part of it has gone", function()
    local server <close> = redis_process()
    for _, part in ipairs{"order", "types"} do
      local q <close> = assert(ipc.queue(server:key(part)))
      for type = 1, 3 do assert(q:send(type, "x")) end
      assert.equal("1", server:cli(("del 'ipclua:{%s}:queue:%s'"):format(part, part)))
      local why
      repeat
        local job
        job, why = q:take(({order = 0, types = -3})[part], PATIENCE)
        if job then job:done() end
      until not job
      assert.equal("removed", why)
    end
  end)
end)
