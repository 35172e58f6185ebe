-- SPDX-License-Identifier: MIT
-- A user without rights to channels released a mutex, so the server could not tell the process that waited. It gave it
-- the mutex all the same, as that would ask soon: so it takes it to be after a restart of the server. But the process
-- only kept its lease, and saw that the mutex was held; by itself, which it did not see. It waited for ever.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

describe("a process that waits for a lock of a Redis server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("has it, though it could not be told", function()
    local port = peer.output([[python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])']])
    local server <close> = redis_process("--bind 127.0.0.1 --port " .. port)
    local function open(user)
      return assert(ipc.mutex(assert(ipc.redis_key(("redis://%s127.0.0.1:%d/0/told?lease=3"):format(user, port)))))
    end
    server:cli("acl setuser app reset on '>p' '~*' +@all '&*'")
    local silent <close> = open("app:p@")
    local mine <close> = open("")
    assert.is_true(silent:acquire(PATIENCE))
    local t = waits.waiting(function() return mine:acquire(PATIENCE) and mine:release() end)
    for _ = 1, 3 do mine:holder() end -- it asks, and asks to hear, and hears
    server:cli("acl setuser app resetchannels")
    assert.equal("0", server:cli("hset 'ipclua:{told}:mutex:meta' since 9999999999999999")) -- it was started just now
    assert.is_true(silent:release())
    assert.same({true, true}, {t:join(PATIENCE)})
  end)
end)
