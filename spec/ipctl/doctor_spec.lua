-- SPDX-License-Identifier: MIT
-- ipctl doctor: findings, each with a level and what to do; what is wrong on purpose is found.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local ipctl = require "spec.support.ipctl"
local processes = require "spec.support.processes"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

-- All findings; others may leave something on this machine, so the status is 0 or 1.
local function findings(...)
  local status, text, problem = ipctl.run{"doctor", "--json", ...}
  assert.equal("", problem)
  local list, failed = ipctl.lines(text), 0
  for _, finding in ipairs(list) do
    assert.truthy(finding.level:find("^[oew]"))
    assert.truthy(finding.level == "ok" or finding.advice or finding.finding:find("not looked at"), finding.finding)
    if finding.level == "error" then failed = 1 end
  end
  assert.equal(failed, status)
  return list
end

local function find(list, about, pattern)
  for _, finding in ipairs(list) do
    if finding.about == about and finding.finding:find(pattern) then return finding end
  end
end

describe("ipctl doctor", function()
  after_each(engines.shm.cleanup)

  it("looks at limits, space, sessions and namespaces", function()
    local list = findings()
    assert.is_truthy(find(list, "/dev/shm", " of .* used$"))
    assert.is_truthy(find(list, "System V", " queues$"))
    assert.is_truthy(find(list, "RemoveIPC", "."))
    assert.is_truthy(find(list, "pid namespace", "."))
    assert.is_truthy(find(list, "boards", "%d processes"))
    assert.is_truthy(ipctl.run{"doctor"} < 2)
  end)

  it("finds a holder that is stopped", function()
    local key = engines.shm.key()
    local child = assert(ipc.process(function(channel)
      assert(ipc.mutex(key)):acquire()
      channel:send("has it")
      ipc.sleep(1000)
    end))
    assert.equal("has it", child.channel:receive(PATIENCE))
    child:signal("STOP")
    processes.await(function() return processes.state(child.pid) == "T" end, "it is stopped")
    local finding = find(findings(), "mutex shm:" .. key.name, "is stopped")
    assert.equal("error", finding.level)
    assert.truthy(finding.advice:find("kill -CONT " .. child.pid, 1, true))
    child:signal("KILL")
    child:wait()
    finding = find(findings(), "mutex shm:" .. key.name, "its holder died")
    assert.equal("warning", finding.level)
  end)

  it("finds what is damaged", function()
    local key = engines.shm.key()
    ipc.queue(key, {capacity = 1000}):close()
    local file = assert(io.open("/dev/shm/ipclua.queue." .. key.name, "r+b"))
    file:seek("end")
    file:write(("\0"):rep(64))
    file:close()
    local finding = find(findings(), "queue shm:" .. key.name, "damaged")
    assert.same({"error", "ipctl rm shm:" .. key.name}, {finding.level, finding.advice})
  end)

  it("asks a server how it keeps its data", function()
    local redis = engines.redis
    if redis.missing then return pending(redis.missing) end
    local socket = redis.socket()
    local function set(policy)
      os.execute(("redis-cli -s %s config set maxmemory-policy %s >/dev/null"):format(socket, policy))
    end
    finally(function() set "noeviction" end)
    local url = ("redis+unix://%s?name=doctor"):format(socket)
    local list = findings(url)
    assert.equal("ok", find(list, url, "^it answers").level)
    assert.equal("ok", find(list, url, "policy is noeviction").level)
    assert.equal("warning", find(list, url, "no append%-only file").level)
    set "allkeys-lru"
    assert.equal("warning", find(findings(url), url, "policy is allkeys%-lru").level)
    local gone = ("redis+unix://%s.gone?name=doctor&timeout=1"):format(socket)
    assert.equal("error", find(findings(gone), gone, ".").level)
    assert.truthy(ipctl.failure("doctor", "shm:a"):find("no URL", 1, true))
  end)
end)
