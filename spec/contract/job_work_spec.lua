-- SPDX-License-Identifier: MIT
-- What every engine that has jobs promises of queue:work, and of the limit of time.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local jobs = require "spec.support.jobs"
local shell = require "spec.support.shell"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

contract.jobs(_ENV, "work", function(_, open, keyed)
  local function send(q, n)
    for i = 1, n do assert.is_true(q:send(1, i, PATIENCE)) end
  end

  -- until the queue has nothing ready, taken or delayed
  local function served(q)
    local deadline = ipc.now() + PATIENCE
    local stat
    repeat
      ipc.sleep(0.002)
      stat = q:stat()
    until stat.ready + stat.taken + stat.delayed == 0 or ipc.now() > deadline
    assert.same({0, 0, 0}, {stat.ready, stat.taken, stat.delayed})
  end

  it("serves each job, and ends when the queue is closed", function()
    local q = open()
    local got = {}
    local t = ipc.task(q.work, q, function(message, job)
      got[#got + 1] = message
      assert(job.message == message)
    end)
    send(q, 5)
    served(q)
    q:close()
    assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
    assert.same({1, 2, 3, 4, 5}, got)
  end)

  it("ends when the queue is removed", function()
    local q <close> = open()
    local t = ipc.task(q.work, q, function() end, {at_once = 2})
    send(q, 1)
    served(q)
    q:remove()
    assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
  end)

  it("serves so many at once, and one that fails does not end the others", function()
    local q = open{backoff = {0, 0}, attempts = 2}
    local now, most, finished = 0, 0, 0
    local t = ipc.task(q.work, q, function(message)
      now = now + 1
      local _ <close> = setmetatable({}, {__close = function() now = now - 1 end})
      most = math.max(most, now)
      while most < 4 do ipc.sleep(0.001) end
      if message == 3 then error("three\nis bad") end
      ipc.sleep(0.001)
      finished = finished + 1
    end, {at_once = 4})
    send(q, 10)
    served(q)
    assert.same({4, 9}, {most, finished})
    local letter = q:dead()(q)
    assert.same({3, 2}, {letter.message, letter.attempt})
    assert.matches("job_work_spec.lua:%d+: three$", letter.reason)
    q:close()
    assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
  end)

  it("leaves a job alone about which the function has said a word", function()
    local q = open()
    local words = {"done", "bury", "retry"}
    local t = ipc.task(q.work, q, function(message, job)
      local word = words[message]
      if word == "retry" then job:retry(100) else job[word](job) end
      if message == 2 then error("too late") end
    end)
    send(q, 3)
    local deadline = ipc.now() + PATIENCE
    while q:stat().delayed == 0 and ipc.now() < deadline do ipc.sleep(0.002) end
    local stat = q:stat()
    assert.same({0, 0, 1, 1}, {stat.ready, stat.taken, stat.delayed, stat.dead})
    q:close()
    t:join(PATIENCE)
  end)

  it("takes jobs of a type", function()
    local q = open()
    local got = {}
    for type = 1, 3 do q:send(type, type) end
    local t = ipc.task(q.work, q, function(message) got[#got + 1] = message end, {type = 2})
    while not got[1] do ipc.sleep(0.001) end
    q:close()
    t:join(PATIENCE)
    assert.same({2}, got)
  end)

  it("goes on behind a message that cannot be decoded", function()
    local q = open{codec = {encode = tostring, decode = function(text)
      return text ~= "poison" and text or error("poison")
    end}}
    local got = {}
    q:send(1, "poison")
    q:send(1, "good")
    local t = ipc.task(q.work, q, function(message) got[#got + 1] = message end)
    served(q)
    assert.same({"good"}, got)
    assert.equal(1, q:stat().dead)
    q:close()
    t:join(PATIENCE)
  end)

  it("releases what it works on when it is cancelled, or its time is over", function()
    local q <close> = open()
    send(q, 3)
    for _, how in ipairs{"cancel", "timeout"} do
      local begun = 0
      local function slow()
        begun = begun + 1
        ipc.sleep(PATIENCE)
      end
      if how == "cancel" then
        local t = ipc.task(q.work, q, slow, {at_once = 2})
        while begun < 2 do ipc.sleep(0.001) end
        assert.equal(2, q:stat().taken)
        t:cancel()
        assert.is_false((t:join(PATIENCE)))
      else
        assert.same({nil, "timeout"}, {ipc.timeout(0.05, q.work, q, slow, {at_once = 2})})
      end
      assert.same({3, 0}, {#q, q:stat().taken})
    end
    for _ = 1, 3 do
      local job <close> = q:take(nil, PATIENCE)
      assert.equal(1, job.attempt)
      job:done()
    end
  end)

  keyed("releases what it works on when the program is interrupted #busy", function()
    local q <close> = open()
    send(q, 1)
    local path = shell.temporary([[
      local ipc = require "ipc"
      ipc.queue(arg[1]):work(function()
        io.stdout:write("begun\n"):flush()
        while arg[2] == "busy" do end
        ipc.sleep(100)
      end)]])
    for _, how in ipairs{"busy", "waiting"} do
      local child <close> = assert(ipc.process{os.getenv("IPCLUA") or "build/ipclua", path,
        tostring(q):match("%((.-)[,)]"), how, stdout = "pipe", stderr = "null"})
      assert.equal("begun", child.stdout:receive(PATIENCE))
      child:signal("INT")
      assert.same({nil, "exit", 130}, {child:wait(PATIENCE)})
      contract.at_last({lease = true}, 1, function() return #q end)
      local job <close> = q:take(nil, PATIENCE)
      assert.same({1, 0}, {job.attempt, job.deaths})
      job:release()
    end
    os.remove(path)
  end)

  it("counts as failed what was cancelled by something else", function()
    local q = open{attempts = 1}
    local t = ipc.task(q.work, q, function() error(ipc.cancelled) end)
    send(q, 1)
    served(q)
    assert.same({"1 1 attempt 1 deaths 0 cancelled"}, jobs.dead(q))
    q:close()
    t:join(PATIENCE)
  end)

  it("refuses what is no work", function()
    local q <close> = open()
    assert.error_matches(function() q:work() end, "function expected")
    assert.error_matches(function() q:work(print, {at_once = 0}) end, "at_once must be from 1 to 1048576")
    assert.error_matches(function() q:work(print, {twice = 1}) end, "unknown option 'twice'")
    assert.error_matches(function() q:work(print, 3) end, "table expected")
  end)

  describe("that takes longer than it may", function()
    -- position: coroutine.wrap puts one before the error, as it does with any string
    local function late(fn, how, position)
      local q <close> = open{within = 0.1, attempts = 1}
      q:send(1, "x")
      local ok, err = how(function()
        local job <close> = q:take(nil, PATIENCE)
        fn(job)
      end)
      assert.is_false(ok)
      assert.equal("late", position and err:match("lua:%d+: (.*)") or err)
      assert.same({"x 1 attempt 1 deaths 0 " .. err}, jobs.dead(q))
    end

    local function in_task(fn) return ipc.task(fn):join(PATIENCE) end

    for name, how in pairs{["a task"] = in_task, ["the main chunk"] = pcall} do
      it("raises in " .. name .. " that waits", function()
        late(function() ipc.sleep(PATIENCE) end, how)
      end)

      it("raises in " .. name .. " that is busy #busy", function()
        late(function() while true do end end, how)
      end)

      it("raises in " .. name .. " that makes calls which are served at once #busy", function()
        late(function()
          local other <close> = ipc.queue(ipc.private)
          while true do other:send(1, "y") other:receive() end
        end, how)
      end)

      it("raises in " .. name .. ", in a coroutine of its own", function()
        late(function()
          local step = ipc.coroutine.wrap(function() ipc.sleep(PATIENCE) end)
          step()
        end, how, true)
      end)
    end

    it("raises in no other task", function()
      local q <close> = open{within = 0.02, backoff = {0, 0}}
      q:send(1, "x")
      local calm = ipc.task(function() ipc.sleep(0.1) return "calm" end)
      local t = ipc.task(function()
        local job <close> = q:take(nil, PATIENCE)
        ipc.sleep(PATIENCE)
        return job
      end)
      assert.same({false, "late"}, {t:join(PATIENCE)})
      assert.same({true, "calm"}, {calm:join(PATIENCE)})
    end)

    it("raises again, if the code goes on", function()
      local q <close> = open{within = 0.1}
      q:send(1, "x")
      local job <close> = q:take(nil, PATIENCE)
      for _ = 1, 3 do assert.same({false, "late"}, {pcall(ipc.sleep, PATIENCE)}) end
      local ok, why
      repeat ok, why = pcall(job.done, job) until ok or why ~= "late" -- the time may be over again
      assert.is_true(pcall(ipc.sleep, 0.2))
    end)

    it("raises behind a shield, not in it", function()
      local q <close> = open{within = 0.5}
      q:send(1, "x")
      local whole = false
      local t = ipc.task(function()
        local job <close> = q:take(nil, PATIENCE)
        ipc.shield(function()
          ipc.sleep(0.7)
          whole = true
        end)
        ipc.sleep(PATIENCE)
        return job
      end)
      assert.same({false, "late"}, {t:join(PATIENCE)})
      assert.is_true(whole)
    end)

    it("is not late when its word was said in time, by whatever task", function()
      local q <close> = open{within = 0.5}
      q:send(1, "x")
      local t = ipc.task(function()
        local job = q:take(nil, PATIENCE)
        ipc.task(job.done, job):join(PATIENCE)
        ipc.sleep(0.6)
        return "fine"
      end)
      assert.same({true, "fine"}, {t:join(PATIENCE)})
    end)

    it("is retried by queue:work, with that reason", function()
      local q = open{within = 0.02, attempts = 1}
      local t = ipc.task(q.work, q, function() while true do ipc.yield() end end)
      send(q, 2)
      served(q)
      assert.same({"1 1 attempt 1 deaths 0 late", "2 1 attempt 1 deaths 0 late"}, jobs.dead(q))
      q:close()
      t:join(PATIENCE)
    end)
  end)
end)
