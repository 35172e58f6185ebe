-- SPDX-License-Identifier: MIT
-- To a user of Redis 7 without rights to channels, which is what `ACL SETUSER` makes, waits never ended, and sends and
-- releases were said to have failed when they had been done: the constructors say so now. Errors had other numbers for
-- each command, and digests of scripts in their texts.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE, EACCES <const> = waits.PATIENCE, 13

describe("a user of a server", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  local server, port
  lazy_setup(function()
    port = peer.output([[python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])']])
    server = redis_process("--bind 127.0.0.1 --port " .. port)
  end)
  lazy_teardown(function() server:close() end)

  local function key(user)
    return assert(ipc.redis_key(("redis://%s127.0.0.1:%d/0/rights?lease=3"):format(user and user .. "@" or "", port)))
  end

  local function make(rights)
    server:cli("flushall")
    assert.equal("OK", server:cli("acl setuser app reset on '>p' '~*' +@all " .. rights))
  end

  local NOUNS <const> = {
    queue = ipc.queue, mutex = ipc.mutex, semaphore = function(k) return ipc.semaphore(k, 2) end,
    shared_data = ipc.shared_data, shared_memory = function(k) return ipc.shared_memory(k, 4) end,
  }

  it("that may not use channels, hears so from the constructors", function()
    make("")
    for noun, open in pairs(NOUNS) do
      local object, message, code = open(key("app:p"))
      assert.same({nil, EACCES}, {object, code}, noun)
      assert.is_nil(message:find(("%x"):rep(40)), message)
    end
  end)

  it("that has too few rights, hears so, whatever is missing", function()
    local FEW <const> = {
      "-eval -evalsha '&*'", "resetkeys '~other' '&*'", "-publish '&*'", "-hset -setrange -hget '&*'",
    }
    for _, rights in ipairs(FEW) do
      make(rights)
      for noun, open in pairs(NOUNS) do
        local object, message, code = open(key("app:p"))
        if not object then assert.equal(EACCES, code, noun .. " " .. message) end
        if object then object:close() end
      end
    end
  end)

  it("whose rights are taken away, loses nothing, and doubles nothing", function()
    make("'&*'")
    local q <close> = assert(ipc.queue(key("app:p")))
    local m <close> = assert(ipc.mutex(key("app:p")))
    local all <close> = assert(ipc.queue(key()))
    local other <close> = assert(ipc.mutex(key()))
    assert.is_true(m:acquire(PATIENCE))
    local waiter = waits.waiting(function() return other:acquire(PATIENCE) end)
    local receiver = waits.waiting(function() return all:receive(0, PATIENCE) end)
    for _ = 1, 2 do waits.answered(all) end -- what was asked before has been heard
    server:cli("acl setuser app resetchannels")
    for _ = 1, 2 do
      local _, message, code = q:send(1, "x")
      assert.same({nil, EACCES}, {_, code}, message)
    end
    local ok, message, code = q:receive(0, PATIENCE)
    assert.same({nil, EACCES}, {ok, code}, message)
    assert.equal(0, #all)
    assert.is_true(all:send(1, "y"))
    assert.same({true, "y", 1}, {receiver:join(PATIENCE)})
    assert.same({true}, {m:release()})
    assert.same({true, true}, {waiter:join(PATIENCE)})
  end)

  it("that has a wrong password, or none, hears so", function()
    make("'&*'")
    server:cli("acl setuser default resetpass '>q'")
    finally(function() server:cli("--pass q acl setuser default nopass") end)
    -- of another database, for that is another connection
    local new = assert(ipc.redis_key(("redis://127.0.0.1:%d/7/rights"):format(port)))
    assert.equal(EACCES, (select(3, ipc.queue(new))))
    assert.equal(EACCES, (select(3, ipc.queue(key("app:wrong")))))
  end)
end)
