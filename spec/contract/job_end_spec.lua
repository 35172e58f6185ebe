-- SPDX-License-Identifier: MIT
-- What every engine that has jobs promises when no word is said about one: errors, cancellation, garbage, closed
-- handles, forks, and the end of the program. And of messages that cannot be decoded.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local shell = require "spec.support.shell"
local waits = require "spec.support.waits"

local PATIENCE, waiting = waits.PATIENCE, waits.waiting

contract.jobs(_ENV, "a job without a word", function(engine, open, keyed)
  local function one(options)
    local q = open(options)
    q:send(1, "x")
    return q
  end

  local function state(q)
    local stat = q:stat()
    return ("%d %d %d %d"):format(stat.ready, stat.taken, stat.delayed, stat.dead)
  end

  -- ready, taken, delayed, dead
  local READY <const>, TAKEN <const>, DELAYED <const> = "1 0 0 0", "0 1 0 0", "0 0 1 0"

  it("is tried again after an error, with its first line as the reason", function()
    local q <close> = one{backoff = {0, 0}}
    local ok, err = pcall(function()
      local _ <close> = q:take(nil, PATIENCE)
      error("the mail bounced\nand more")
    end)
    assert.is_false(ok)
    assert.matches("the mail bounced\nand more", err, 1, true)
    local job <close> = q:take(nil, PATIENCE)
    assert.equal(2, job.attempt)
    assert.matches("job_end_spec.lua:%d+: the mail bounced$", job.reason)
    job:done()
  end)

  it("is tried again after its back-off", function()
    local q <close> = one{backoff = {100, 100}}
    pcall(function()
      local _ <close> = q:take(nil, PATIENCE)
      error("no")
    end)
    assert.equal(DELAYED, state(q))
  end)

  it("is tried again whatever the error is", function()
    local errors = {
      {{}, "^table: "}, {42, "^42$"}, {("x"):rep(300), "^x+$"}, {("ü"):rep(200), "^[ü]+$"},
      {setmetatable({}, {__tostring = function() return "told" end}), "^told$"},
      {setmetatable({}, {__tostring = function() error("untold") end}), "error object is a table value"},
      {setmetatable({}, {__tostring = function() return {} end}), "error object is a table value"},
    }
    local q <close> = one{backoff = {0, 0}, attempts = 20}
    for i, case in ipairs(errors) do
      pcall(function()
        local _ <close> = q:take(nil, PATIENCE)
        error(case[1], 0)
      end)
      local job <close> = q:take(nil, PATIENCE)
      assert.equal(i + 1, job.attempt)
      assert.matches(case[2], job.reason)
      assert.is_true(#job.reason <= 255)
      assert.is_truthy(utf8.len(job.reason))
      job:release()
    end
  end)

  it("is released by a cancellation", function()
    local q <close> = one()
    local t = ipc.task(function()
      local _ <close> = q:take(nil, PATIENCE)
      ipc.sleep(PATIENCE)
    end)
    while q:stat().taken == 0 do ipc.sleep(0.001) end
    t:cancel()
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
    assert.equal(READY, state(q))
    assert.equal(1, q:take(nil, PATIENCE).attempt)
  end)

  it("is released when its block ends, is closed, or is garbage", function()
    local q <close> = one()
    do
      local job <close> = q:take(nil, PATIENCE)
      assert.equal("x", job.message)
    end
    assert.equal(READY, state(q))
    local job = q:take(nil, PATIENCE)
    job:close()
    job:close()
    assert.matches("released", tostring(job))
    assert.equal(READY, state(q))
    job = q:take(nil, PATIENCE)
    assert.equal(1, job.attempt)
    assert.equal(TAKEN, state(q))
    job = nil
    waits.collect()
    assert.is_nil(job)
    assert.equal(READY, state(q))
  end)

  it("is released when the handle of its queue is closed", function()
    if engine.private then return end -- with it goes the queue
    local q = one()
    local job = q:take(nil, PATIENCE)
    q:close()
    assert.matches("expired", tostring(job))
    local other <close> = open()
    assert.equal(1, other:take(nil, PATIENCE).attempt)
    for _, word in ipairs{"done", "retry", "release", "bury"} do
      assert.same({nil, "expired"}, {job[word](job)})
    end
    assert.same({nil, "expired"}, {job:done(1, "next")})
    assert.is_true(job:lost())
    job:close()
  end)

  it("is gone with its queue", function()
    local q <close> = one()
    local job = q:take(nil, PATIENCE)
    q:remove()
    assert.same({nil, "removed"}, {job:done()})
    job:close()
  end)

  it("may get its word from another task than the one that took it", function()
    local q <close> = one()
    local job = select(2, ipc.task(q.take, q):join(PATIENCE))
    assert.equal(TAKEN, state(q))
    assert.same({true, true}, {ipc.task(job.done, job):join(PATIENCE)})
    assert.equal("0 0 0 0", state(q))
  end)

  it("is its process's: a forked child has it expired, and leaves it alone", function()
    local q <close> = one()
    local job <close> = q:take(nil, PATIENCE)
    local child <close> = assert(ipc.process(function(channel)
      channel:send{select(2, job:done()), select(2, job:retry()), tostring(job), job:lost(0)}
      job:close()
    end))
    local seen = child.channel:receive(PATIENCE)
    assert.same({"expired", "expired"}, {seen[1], seen[2]})
    assert.matches("expired", seen[3])
    assert.is_true(seen[4])
    assert.is_true(child:wait(PATIENCE))
    assert.equal(TAKEN, state(q))
    assert.is_true(job:done())
  end)

  it("is left alone when a forked child closes the handle that it has inherited", function()
    local q <close> = one()
    local job <close> = q:take(nil, PATIENCE)
    local child <close> = assert(ipc.process(function() q:close() end))
    assert.is_true(child:wait(PATIENCE))
    assert.equal(TAKEN, state(q))
    assert.is_true(job:done())
  end)

  it("is over when its word is on the way, even if the task is cancelled", function()
    local q <close> = open()
    for _, at in ipairs{"before", "while"} do
      q:send(1, at)
      local said = false
      local t = ipc.task(function()
        local job <close> = q:take(nil, PATIENCE)
        if at == "before" then pcall(ipc.sleep, PATIENCE) end
        said = true
        job:done()
      end)
      while not said and (at == "while" or q:stat().taken == 0) do ipc.yield() end
      t:cancel()
      t:join(PATIENCE)
      contract.at_last({lease = true}, "0 0 0 0", state, q)
    end
  end)

  it("is released at the end of its program", function()
    local q <close> = one()
    for _, how in ipairs{"return", "os.exit(0, true)", "error"} do
      local child <close> = assert(ipc.process(function(channel)
        channel:close()
        local job = open():take(nil, PATIENCE)
        if how == "os.exit(0, true)" then os.exit(0, true) end
        if how == "error" then
          io.stderr:close()
          error(job.message)
        end
      end))
      child:wait(PATIENCE)
      contract.at_last(engine, 1, function() return #q end)
      local job <close> = q:take(nil, PATIENCE)
      job:release()
    end
  end)

  keyed("is released when its program is interrupted, on the main chunk #busy", function()
    local q <close> = one()
    local path = shell.temporary([[
      local ipc = require "ipc"
      local job <close> = ipc.queue(arg[1]):take()
      io.stdout:write("begun\n"):flush()
      while arg[2] == "busy" do end
      ipc.sleep(100)]])
    for _, how in ipairs{"busy", "waiting"} do
      local child <close> = assert(ipc.process{os.getenv("IPCLUA") or "build/ipclua", path,
        tostring(q):match("%((.-)[,)]"), how, stdout = "pipe", stderr = "null"})
      assert.equal("begun", child.stdout:receive(PATIENCE))
      child:signal("INT")
      assert.same({nil, "exit", 130}, {child:wait(PATIENCE)})
      contract.at_last({lease = true}, READY, state, q)
      local job <close> = q:take(nil, PATIENCE)
      assert.same({1, 0}, {job.attempt, job.deaths})
      job:release()
    end
    os.remove(path)
  end)

  describe("whose message cannot be decoded", function()
    local poison = {
      encode = function(value) return value end,
      decode = function(text)
        if text:find("poison") then error("it is " .. text, 0) end
        return text
      end,
    }

    it("is a dead letter, with that as its reason, and take goes on", function()
      local q <close> = open{codec = poison}
      q:send(4, "poison")
      q:send(5, "good")
      local none, why, errno = q:take(nil, PATIENCE)
      assert.same({}, {none, errno})
      assert.matches("cannot decode a message of type 4 of queue .*: it is poison", why)
      local job <close> = q:take(nil, PATIENCE)
      assert.equal("good", job.message)
      job:done()
      local letters = {}
      for letter in q:dead() do letters[#letters + 1] = letter end
      assert.equal(1, #letters)
      local letter = letters[1]
      assert.same({"poison", 4, 1}, {letter.raw, letter.type, letter.attempt})
      assert.is_nil(letter.message)
      assert.equal(why, letter.reason)
    end)

    it("is one in a select and for a task that waits, too", function()
      local q <close> = open{codec = poison}
      local t = waiting(q.take, q)
      q:send(1, "poison")
      assert.matches("cannot decode", select(3, t:join(PATIENCE)))
      t = waiting(function() return ipc.select({{q, "take"}}) end)
      q:send(1, "poison")
      local _, which, none, why = t:join(PATIENCE)
      assert.same({1}, {which, none})
      assert.matches("cannot decode", why)
      assert.equal("0 0 0 2", state(q))
    end)

    it("is not decoded by a codec that closes the queue: it is released", function()
      if engine.private then return end
      local q
      q = open{codec = {encode = tostring, decode = function(text) q:close() return text end}}
      q:send(1, "x")
      assert.same({nil, "closed"}, {q:take(nil, PATIENCE)})
      local other <close> = open{codec = "raw"}
      assert.equal(1, other:take(nil, PATIENCE).attempt)
    end)
  end)

  keyed("warns once for each handle", function()
    local q <close> = one()
    local path = shell.temporary(([[
      local ipc = require "ipc"
      warn("@on")
      local q = ipc.queue(%q)
      for _ = 1, 3 do local job <close> = q:take() end
      do local job <close> = q:take() job:release() end
      pcall(function() local job <close> = q:take() error("x") end)]]):format(tostring(q):match("%((.-)[,)]")))
    local text = shell.output(("timeout 60 %s %s 2>&1"):format(os.getenv("IPCLUA") or "build/ipclua", path))
    os.remove(path)
    assert.matches("job #%d+ of queue .* was closed without a word", text)
    assert.equal(1, select(2, text:gsub("without a word", "")))
    assert.equal(DELAYED, state(q))
  end)
end)
