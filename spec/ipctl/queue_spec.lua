-- SPDX-License-Identifier: MIT
-- ipctl peek, send, receive, take, dead, revive, drop: messages as lines of JSON, on every engine that has them.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local engines = require "spec.support.engines"
local ipctl = require "spec.support.ipctl"
local processes = require "spec.support.processes"
local shell = require "spec.support.shell"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

contract.each(_ENV, "ipctl with a queue", ipc.queue, function(engine, _, _, key)
  if engine.private then return end

  it("sends, peeks and receives lines of JSON", function()
    local q <close> = assert(ipc.queue(key()))
    local name = ipctl.text_of(key())
    assert.equal("", ipctl.output("send", name, '{"a": [1, 2.50]}', "--type", "3"))
    assert.equal("", ipctl.output("send", name, "null", "17"))
    assert.equal('{"a": [1, 2.50]}\n', ipctl.output("peek", name))
    assert.same({{type = 1, message = 17}}, {(function()
      ipctl.output("receive", name, "--type=1")
      return ipctl.json("receive", "--json", name, "--type", "1")[1]
    end)()})
    assert.same({{a = {1, 2.5}}, 3}, {q:receive(nil, PATIENCE)})
    assert.same({1, "", ""}, {ipctl.run{"peek", name}})
    assert.same({1, "", ""}, {ipctl.run{"receive", name, "--timeout", "0"}})
  end)

  it("sends the lines of its input", function()
    local q <close> = assert(ipc.queue(key()))
    assert.same({0, "", ""}, {ipctl.run{"send", ipctl.text_of(key()), stdin = '1\n"two"\n[3]\n'}})
    assert.equal('1\n"two"\n[3]\n', ipctl.output("receive", ipctl.text_of(key()), "--count", "3"))
    assert.same({nil, "timeout"}, {q:receive(nil, 0)})
  end)

  it("opens only what is there, unless it is to make it", function()
    local name = ipctl.text_of(key())
    for _, verb in ipairs{"peek", "send", "receive"} do
      local problem = ipctl.failure(verb, name, verb == "send" and "1" or nil)
      assert.truthy(problem:find("there is none", 1, true), problem)
      assert.truthy(problem:find("queue", 1, true), problem)
    end
    assert.equal("", ipctl.output("send", "--create", name, "1"))
    assert.equal("1\n", ipctl.output("receive", name))
    assert(ipc.queue(key())):remove()
  end)
end)

contract.jobs(_ENV, "ipctl with jobs", function(engine, _, _, key)
  if engine.private then return end

  it("takes a job and shows it, and then it is done", function()
    local q <close> = assert(ipc.queue(key()))
    local name = ipctl.text_of(key())
    assert.same({"a"}, {ipctl.json("send", name, "--id", "a", "--json", '"x"')[1].id})
    local status, _, problem = ipctl.run{"send", name, "--id", "a", "1"}
    assert.equal(1, status)
    assert.truthy(problem:find("id a is there", 1, true), problem)
    local job = ipctl.json("take", name, "--json")[1]
    assert.same({"a", "x", 1, 0, 1}, {job.id, job.message, job.attempt, job.deaths, job.type})
    assert.same({0, 0}, {#q, q:stat().taken})
    assert.same({1, "", ""}, {ipctl.run{"take", name, "--timeout", "0"}})
  end)

  it("runs a program with each job, whose end is the job's word", function()
    local q <close> = assert(ipc.queue(key(), {backoff = {0, 0}}))
    local name = ipctl.text_of(key())
    q:send(1, {n = 1})
    assert.equal('got {"n":1}\n', ipctl.output("take", name, "--", "sh", "-c", 'read -r line; echo "got $line"'))
    q:send(1, "again")
    assert.same({7, "", ""}, {ipctl.run{"take", name, "--retry-after", "0", "--", "sh", "-c", "exit 7"}})
    local job <close> = assert(q:take(nil, PATIENCE))
    assert.same({"again", 2, "sh: exit status 7"}, {job.message, job.attempt, job.reason})
    job:done()
    assert.same({0, 0}, {#q, q:stat().taken})
  end)

  it("lists dead letters, revives and drops them", function()
    local q <close> = assert(ipc.queue(key()))
    local name = ipctl.text_of(key())
    assert.same({1, "", ""}, {ipctl.run{"dead", name}})
    for _, id in ipairs{"a", "b", "c"} do q:send(1, "of " .. id, nil, {id = id}) end
    for _ = 1, 3 do assert(q:take(nil, PATIENCE)):bury("no\27good") end
    local letters = ipctl.json("dead", name, "--json")
    assert.same({3, "a", "of a", "no\27good"}, {#letters, letters[1].id, letters[1].message, letters[1].reason})
    assert.truthy(ipctl.output("dead", name):find("no\\u001bgood +\"of b\""))
    ipctl.output("revive", name, "b")
    assert.equal("of b", (q:receive(nil, PATIENCE)))
    ipctl.output("drop", name, "a")
    assert.equal(1, ipctl.run{"drop", name, "a"})
    assert.truthy(ipctl.failure("drop", name):find("ids, or --all", 1, true))
    ipctl.output("drop", "--all", name)
    assert.equal(0, q:stat().dead)
  end)
end)

describe("ipctl with a queue", function()
  local engine = engines.shm
  local key, name

  before_each(function()
    key = engine.key()
    name = ipctl.text_of(key)
  end)
  after_each(engine.cleanup)

  it("shows no byte that a terminal obeys", function()
    local q <close> = assert(ipc.queue(key, {codec = "raw"}))
    q:send(1, "\27]0;title\7 \xC2\x9B \127 \xFF \"\\\n")
    assert.equal('"\\u001b]0;title\\u0007 \\u009b \\u007f ÿ \\"\\\\\\u000a"\n', ipctl.output("peek", name))
    assert.equal("\27]0;title\7 \xC2\x9B \127 \xFF \"\\\n", ipctl.output("receive", "--raw", name))
    q:send(1, '{"a":"\xE2\x80\xAE\xC2\x9B\127"}')
    assert.equal('{"a":"\\u202e\\u009b\\u007f"}\n', ipctl.output("peek", name))
    q:receive()
    q:send(1, "{\n\t\"a\" :\r\n 1 }\n")
    assert.equal('{  "a" :   1 }\n', ipctl.output("receive", name))
  end)

  it("knows JSON from what is none", function()
    local good = {
      "0", "-0.5e+3", "true", '"\\u00e4\\n"', "[]", "{}", ' [1 , {"a":[ ]}] ', '""', '{"a":null,"a":2}', "1E5", '"é"',
    }
    local bad = {
      "", " ", "01", "1.", ".5", "+1", "nul", "truee", '"', "'a'", "[1,]", "{a:1}", '{"a"}', "1 2", "[", '"\\x"', "NaN",
      '"\n"', '{"a":1,}', "-", "[1 2]", '{"a" 1}',
    }
    local q <close> = assert(ipc.queue(key))
    assert.equal("", ipctl.output("send", name, table.unpack(good)))
    for _ = 1, #good do assert(q:receive(nil, 0) ~= "timeout") end
    for _, text in ipairs(bad) do
      assert.truthy(ipctl.failure("send", name, text):find("is no JSON", 1, true), text)
    end
    assert.equal(0, #q)
  end)

  it("is used by eight at once, and nothing is lost", function()
    local q <close> = assert(ipc.queue(key))
    local finishers, sum = {}, 0
    for i = 1, 8 do
      finishers[i] = select(2, ipctl.start{"take", name, "--count", "10"})
    end
    for i = 1, 80 do assert(q:send(1, i, PATIENCE)) end
    for _, finish in ipairs(finishers) do
      local status, text, problem = finish()
      assert.same({0, ""}, {status, problem})
      for line in text:gmatch("%d+") do sum = sum + line end
    end
    assert.equal(80 * 81 // 2, sum)
    assert.same({0, 0}, {#q, q:stat().taken})
  end)

  it("gives a job back whose reader has gone, and says nothing", function()
    local q <close> = assert(ipc.queue(key))
    local problem <close> = assert(io.tmpfile())
    local child <close> = assert(ipc.process{ipctl.program, "take", name, stdout = "pipe", stderr = problem})
    child.stdout:close()
    q:send(1, "kept")
    assert.same({nil, "exit", 141}, {child:wait(PATIENCE)})
    problem:seek("set")
    assert.equal("", problem:read("a"))
    local job <close> = assert(q:take(nil, PATIENCE))
    assert.same({"kept", 1}, {job.message, job.attempt})
    job:done()
  end)

  it("ends quietly with Ctrl-C", function()
    local q <close> = assert(ipc.queue(key))
    local child, finish = ipctl.start{"receive", name}
    processes.await(function() return ipctl.find(name, "queue").receivers == 1 end, "it waits")
    assert.equal(0, #q)
    child:signal("INT")
    assert.same({130, "", ""}, {finish()})
  end)

  -- `take` with a program that runs; its pid is the last result.
  local function take_long(q)
    q:send(1, "long")
    local flag = os.tmpname()
    finally(function() os.remove(flag) end)
    local child, finish = ipctl.start{"take", name, "--", "sh", "-c", "echo $$ > " .. flag .. "; exec sleep 1000"}
    processes.await(function() return shell.read(flag):find("\n") end, "the program runs")
    local pid = tonumber(shell.read(flag))
    return child, finish, pid
  end

  it("ends the program, and gives its job back, when it is told to end", function()
    local q <close> = assert(ipc.queue(key))
    local child, finish, pid = take_long(q)
    child:signal("TERM")
    assert.equal(128 + 15, (finish()))
    assert.is_nil(processes.state(pid))
    local job <close> = assert(q:take(nil, PATIENCE))
    assert.same({"long", 1, 0}, {job.message, job.attempt, job.deaths})
    job:done()
  end)

  it("ends quietly when it is told to, with no program to run", function()
    local q <close> = assert(ipc.queue(key))
    for _, signal in ipairs{"INT", "TERM"} do
      local child, finish = ipctl.start{"take", "--follow", name, "--", "true"}
      q:send(1, 1)
      processes.await(function()
        return #q == 0 and q:stat().taken == 0 and ipctl.find(name, "queue").receivers == 1
      end, "it waits again")
      child:signal(signal)
      assert.same({signal == "INT" and 130 or 143, "", ""}, {finish()})
    end
  end)

  it("sends what comes through a pipe, and ends with Ctrl-C while nothing comes", function()
    local q <close> = assert(ipc.queue(key))
    local problem <close> = assert(io.tmpfile())
    local child <close> = assert(ipc.process{ipctl.program, "send", name, stdin = "pipe", stderr = problem})
    child.stdin:send("[1]")
    assert.same({1}, (q:receive(nil, PATIENCE)))
    child:signal("INT")
    assert.same({nil, "exit", 130}, {child:wait(PATIENCE)})
    problem:seek("set")
    assert.equal("", problem:read("a"))
  end)

  it("ends with its program when it is killed, and the job has a death", function()
    local q <close> = assert(ipc.queue(key))
    local child, finish, pid = take_long(q)
    child:signal("KILL")
    assert.equal(128 + 9, (finish()))
    processes.await(function()
      local state = processes.state(pid)
      return not state or state == "Z"
    end, "the program ends")
    local job <close> = assert(q:take(nil, PATIENCE))
    assert.equal(1, job.deaths)
    job:done()
  end)
end)
