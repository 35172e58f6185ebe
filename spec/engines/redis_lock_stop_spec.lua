-- SPDX-License-Identifier: MIT
-- Holders that are stopped for longer than their lease, and go on as if nothing had happened. Each writes what it does
-- to one log, a line per write: what was held until it was released in time never overlaps.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local replay = require "spec.support.lease_log"
local waits = require "spec.support.waits"

local PATIENCE, SANITIZED = waits.PATIENCE, waits.SANITIZED

local redis = engines.redis

local function work(channel, key, lease, path)
  local log = assert(io.open(path, "a"))
  log:setvbuf("no")
  local m = assert(ipc.mutex(key, {lease = lease}))
  local ended = ipc.task(function() channel:receive() end)
  while ended:status() ~= "done" do
    local ok, how = m:acquire(PATIENCE)
    local token = m:token()
    log:write(("got %d %s\n"):format(token, how or ok and "well" or "failed"))
    ipc.sleep(math.random() * 0.01)
    log:write(("releasing %d\n"):format(token))
    local released, why = m:release()
    log:write(("released %d %s\n"):format(token, released and "well" or why))
  end
  m:close()
end

describe("a mutex on a redis server", function()
  if redis.missing then return pending(redis.missing) end
  after_each(redis.cleanup)

  it("has one holder within a valid lease, whichever process is stopped #slow #nosan", function()
    local LEASE <const>, STOPS <const>, WORKERS <const> = 0.5, SANITIZED and 5 or 25, 4
    local key, path, children = redis.key(), os.tmpname(), {}
    finally(function() os.remove(path) end)
    for i = 1, WORKERS do children[i] = assert(ipc.process(work, key, LEASE, path)) end
    local m <close> = assert(ipc.mutex(key))
    for _ = 1, STOPS do
      ipc.sleep(math.random() * 0.05)
      local pid, child = m:holder(), children[math.random(WORKERS)]
      for _, c in ipairs(children) do
        if c.pid == pid then child = c end
      end
      child:signal("STOP")
      ipc.sleep(LEASE * (0.2 + math.random() * 1.5))
      child:signal("CONT")
    end
    for _, child in ipairs(children) do
      child.channel:close()
      assert.is_true(child:wait(PATIENCE))
    end
    local well, expired, abandoned = replay(path)
    assert.is_true(well > 0 and expired > 0)
    assert.is_true(abandoned <= STOPS)
  end)
end)
