-- SPDX-License-Identifier: MIT
-- Ctrl-C in the examples of jobs printed a traceback; a mail that is there already was sent with exit status 0, and a
-- key that cannot be opened was a traceback, too.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local host <const> = os.getenv("IPCLUA") or "build/ipclua"
local PATIENCE <const> = waits.PATIENCE

local function start(example, key, ...)
  return assert(ipc.process{host, ("scripts/examples/%s.lua"):format(example), "--key", key, stdout = "pipe",
    stderr = "pipe", ...})
end

-- Its exit status, and what it has said.
local function finish(child)
  local said = {}
  for _, pipe in ipairs{child.stdout, child.stderr} do
    for line in pipe:messages() do said[#said + 1] = line end
  end
  local _, how, code = child:wait(PATIENCE)
  assert.equal("exit", how)
  local text = table.concat(said, "\n")
  assert.is_nil(text:find("traceback", 1, true), text)
  return code, text
end

local function run(...) return finish(start(...)) end

for _, name in ipairs{"shm", "disk", "redis"} do
  local engine = engines[name]
  describe("with a key of " .. name, function()
    if engine.missing then return pending(engine.missing) end
    local key, queue
    before_each(function()
      queue = assert(ipc.queue(engine.key()))
      key = tostring(queue):match("%((.-)[,)]")
    end)
    after_each(function()
      queue:remove()
      queue:close()
      engine.cleanup()
    end)

    it("a mail is sent once", function()
      assert.same({0, "ann@near.example hi"}, {run("mail", key, "send", "ann@near.example", "hi")})
      local again <const> = "mail.lua: exists: this mail is on its way"
      assert.same({1, again}, {run("mail", key, "send", "ann@near.example", "hi")})
      assert.same({0, ""}, {run("mail", key, "dead")})
      assert.same({1, "0\nmail.lua: no dead letter has the id none"}, {run("mail", key, "revive", "none")})
    end)

    it("workers end at Ctrl-C, and lose nothing", function()
      local worker <close> = start("mail", key, "work")
      assert.is_true(queue:send(1, {to = "ann@near.example", text = "hi"}))
      assert.equal("ann@near.example\tdelivered", worker.stdout:receive(PATIENCE))
      worker:signal("INT")
      assert.same({130, ""}, {finish(worker)})
      local giver <close> = start("jobs", key, "give", "3")
      local other <close> = start("jobs", key, "work")
      assert.equal("1 4 9", giver.stdout:receive(PATIENCE))
      other:signal("INT")
      assert.same({130, ""}, {finish(other)})
      assert.same({0, 0, 0}, {#queue, queue:stat().taken, queue:stat().dead})
    end)

    it("a worker says that its queue was removed", function()
      local worker <close> = start("mail", key, "work")
      assert.is_true(queue:send(1, {to = "ann@near.example", text = "hi"}))
      assert.equal("ann@near.example\tdelivered", worker.stdout:receive(PATIENCE))
      queue:remove()
      assert.same({1, "mail.lua: the queue was removed"}, {finish(worker)})
    end)
  end)
end

it("a key that cannot be opened is told in a line", function()
  for _, example in ipairs{"mail", "jobs"} do
    for _, key in ipairs{"nonsense", "redis+unix:///none/at/all?name=x"} do
      local code, text = run(example, key, "work")
      assert.equal(1, code)
      assert.matches("^" .. example .. ".lua: [^\n]+$", text)
    end
  end
end)
