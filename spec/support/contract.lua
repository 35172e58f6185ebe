-- SPDX-License-Identifier: MIT
-- What the contract specs of the locks have in common.

local ipc = require "ipc"
local assert = require "luassert"

local contract = {
  PATIENCE = 20, -- seconds until a wait that should have ended fails the spec
  SANITIZED = os.getenv("IPC_SANITIZE"),
}

-- Runs every task until it waits.
function contract.settle()
  for _ = 1, 3 do ipc.yield() end
end

function contract.collect()
  collectgarbage()
  collectgarbage()
end

-- A task that waits by now.
function contract.waiting(fn, ...)
  local t = ipc.task(fn, ...)
  contract.settle()
  local deadline = ipc.now() + contract.PATIENCE
  while t:status() == "ready" and ipc.now() < deadline do ipc.yield() end -- served at once, it gives turns
  assert.equal("waiting", t:status())
  return t
end

-- A function that opens one object, in whatever process, and its key. Of a private object there is one handle,
-- which children inherit: a second call gives that one. What needs two of one process is no spec for such an engine.
function contract.opener(engine, make, default)
  local key, inherited = engine.key(), setmetatable({}, {__mode = "v"})
  return function(argument)
    local handle = inherited[1] or assert(make(key, argument or default))
    if engine.private then inherited[1] = handle end
    return handle
  end, key
end

-- What a call tells once the end of processes has been noticed: at once, or, with a lease, when that has ended.
function contract.at_last(engine, expected, call, ...)
  local deadline = ipc.now() + (engine.lease and contract.PATIENCE or 0)
  local value
  repeat
    value = call(...)
  until value == expected or ipc.now() >= deadline or ipc.sleep(0.01)
  assert.equal(expected, value)
end

-- A child that acquires so often, says "held" (or what else it was told), and then obeys: release, or end.
function contract.holder(open, times)
  local child = assert(ipc.process(function(channel)
    local lock, how = open(), nil
    for _ = 1, times or 1 do how = select(2, assert(lock:acquire(contract.PATIENCE))) end
    channel:send(how or "held")
    for _ in channel:messages() do
      assert(lock:release())
      channel:send("released")
    end
  end))
  assert.equal("held", child.channel:receive(contract.PATIENCE))
  return child
end

-- A child that waits to acquire, says what it was told, {true}, {true, "abandoned"} or {"nil", why}, and keeps it.
function contract.waiter(open, ...)
  local arguments = table.pack(...)
  local child = assert(ipc.process(function(channel)
    local lock = open()
    local t = contract.waiting(function()
      local ok, how = lock:acquire(table.unpack(arguments))
      channel:send{ok or "nil", how}
      channel:receive()
    end)
    local ask = lock.holder or lock.value
    if ask then ask(lock) end -- once a server has answered this, it has heard who waits
    channel:send("waiting")
    t:join()
  end))
  assert.equal("waiting", child.channel:receive(contract.PATIENCE))
  return child
end

-- What the next acquires of a mutex are told: "abandoned" or "nothing", by this one and the one after it.
function contract.told(mutex)
  local words = {}
  for i = 1, 2 do
    local ok, how = mutex:acquire(contract.PATIENCE)
    assert.is_true(ok)
    words[i] = how or "nothing"
    mutex:release()
  end
  return table.concat(words, ", ")
end

return contract
