-- SPDX-License-Identifier: MIT
-- ipctl get, set, watch, lock: shared data, slots of memory, and programs with a lock held.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local engines = require "spec.support.engines"
local ipctl = require "spec.support.ipctl"
local processes = require "spec.support.processes"
local shell = require "spec.support.shell"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

contract.each(_ENV, "ipctl with shared data", ipc.shared_data, function(engine, _, _, key)
  if engine.private then return end

  it("gets and sets names", function()
    local name = ipctl.text_of(key())
    assert.truthy(ipctl.failure("get", name, "a"):find("there is none", 1, true))
    assert.equal("", ipctl.output("set", "--create", "1000000", name, "a", '{"b": 1.50}'))
    local d <close> = assert(ipc.shared_data(key()))
    assert.equal(1.5, d:get("a").b)
    d:set("n", 17)
    assert.equal('{"b": 1.50}\n', ipctl.output("get", name, "a"))
    assert.equal('a\t{"b": 1.50}\nn\t17\n', ipctl.output("get", name))
    assert.equal("n\t17\n", ipctl.output("get", name, "--prefix", "n"))
    assert.same({1, "n\t17\n", ""}, {ipctl.run{"get", name, "absent", "n"}})
    local _, version = d:get("n")
    local record = ipctl.json("get", "--json", name, "n")[1]
    assert.same({"n", 17, version}, {record.name, record.value, record.version})
    assert.equal(1, ipctl.run{"set", name, "n", "18", "--version", version + 1000})
    assert.same({0, "", ""}, {ipctl.run{"set", name, "n", "--version", tostring(version), stdin = "18\n"}})
    assert.equal(18, d:get("n"))
    assert.equal(1, ipctl.run{"set", name, "n", "1", "--version", "0"})
    ipctl.output("set", "--delete", name, "n")
    assert.equal(1, ipctl.run{"set", "--delete", name, "n"})
    assert.is_nil(d:get("n"))
    assert.truthy(ipctl.failure("set", name, "n", "{"):find("is no JSON", 1, true))
    d:remove()
  end)

  it("watches a name", function()
    local d <close> = assert(ipc.shared_data(key()))
    d:set("a", 1)
    local child <close> = assert(ipc.process{
      ipctl.program, "watch", ipctl.text_of(key()), "a", "--count", "3", "--json", stdout = "pipe",
    })
    assert.truthy(child.stdout:receive(PATIENCE):find('"value":1', 1, true))
    d:delete("a")
    assert.truthy(child.stdout:receive(PATIENCE):find('"deleted":true', 1, true))
    d:set("a", "two")
    assert.truthy(child.stdout:receive(PATIENCE):find('"value":"two"', 1, true))
    assert.is_true(child:wait(PATIENCE))
    assert.same({1, "", ""}, {ipctl.run{"watch", ipctl.text_of(key()), "absent", "--timeout", "0"}})
    d:remove()
  end)
end)

contract.each(_ENV, "ipctl with shared memory", ipc.shared_memory, function(engine, _, _, key)
  if engine.private then return end

  it("gets, sets and watches slots", function()
    local m <close> = assert(ipc.shared_memory(key(), 3))
    local name = ipctl.text_of(key())
    m[2] = -5
    assert.equal("0\t0\n1\t0\n2\t-5\n", ipctl.output("get", "--memory", name))
    ipctl.output("set", "--memory", name, "1", "40")
    assert.equal("42\n", ipctl.output("set", "--memory", "--add", name, "1", "2"))
    assert.equal("42\n", ipctl.output("watch", "--memory", "--count", "1", name, "1"))
    assert.equal(42, m[1])
    assert.truthy(ipctl.failure("get", "--memory", name, "3"):find("no slot 3", 1, true))
    m:remove()
  end)
end)

contract.each(_ENV, "ipctl lock", ipc.mutex, function(engine, _, _, key)
  if engine.private then return end

  it("runs a program with the mutex held, and has its status", function()
    local name = ipctl.text_of(key())
    assert.same({3, "in\n", ""}, {ipctl.run{"lock", name, "--", "sh", "-c", "echo in; exit 3"}})
    local m <close> = assert(ipc.mutex(key()))
    assert(m:acquire())
    assert.same({1, "", ""}, {ipctl.run{"lock", name, "--timeout", "0", "--", "true"}})
    m:release()
    assert.same({0, "", ""}, {ipctl.run{"lock", name, "--", "true"}})
    assert.is_true(m:acquire(PATIENCE))
    m:release()
    m:remove()
  end)
end)

describe("ipctl lock", function()
  after_each(engines.shm.cleanup)

  it("locks a path, alone or shared", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local l <close> = assert(ipc.file_lock(path))
    assert(l:acquire(0, "shared"))
    assert.same({1, "", ""}, {ipctl.run{"lock", "--timeout", "0", path, "--", "true"}})
    assert.same({0, "", ""}, {ipctl.run{"lock", "--shared", "--timeout", "0", path, "--", "true"}})
    l:release()
    assert.same({128 + 15, "", ""}, {ipctl.run{"lock", path, "--", "sh", "-c", "kill $$"}})
    assert.truthy(ipctl.failure("lock", path):find("usage", 1, true))
    assert.truthy(ipctl.failure("lock", path, "--", "/no/such/program"):find("/no/such/program", 1, true))
  end)

  it("ends the program when it is killed, and the mutex is abandoned", function()
    local key = engines.shm.key()
    local flag = os.tmpname()
    finally(function() os.remove(flag) end)
    local child, finish = ipctl.start{
      "lock", ipctl.text_of(key), "--", "sh", "-c", "echo $$ > " .. flag .. "; exec sleep 1000",
    }
    processes.await(function() return shell.read(flag):find("\n") end, "the program runs")
    local pid = tonumber(shell.read(flag))
    child:signal("KILL")
    assert.equal(128 + 9, (finish()))
    processes.await(function() return (processes.state(pid) or "Z") == "Z" end, "the program ends")
    local _, _, problem = ipctl.run{"lock", ipctl.text_of(key), "--", "true"}
    assert.truthy(problem:find("its last holder died", 1, true))
  end)

  it("is used by eight at once", function()
    local key, path = engines.shm.key(), os.tmpname()
    finally(function() os.remove(path) end)
    local finishers = {}
    for i = 1, 8 do
      finishers[i] = select(2, ipctl.start{"lock", ipctl.text_of(key), "--", "sh", "-c",
        ("read -r n <%s; echo $((${n:-0} + 1)) >%s"):format(path, path)})
    end
    for _, finish in ipairs(finishers) do assert.same({0, "", ""}, {finish()}) end
    assert.equal("8\n", shell.read(path))
  end)
end)
