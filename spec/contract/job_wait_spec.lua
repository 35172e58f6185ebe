-- SPDX-License-Identifier: MIT
-- What every engine that has jobs promises to those that wait for one, and that a wait which ends otherwise takes
-- nothing.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local jobs = require "spec.support.jobs"
local waits = require "spec.support.waits"

local PATIENCE, settle, waiting = waits.PATIENCE, waits.settle, waits.waiting

contract.jobs(_ENV, "a wait for a job", function(_, open)
  local function taker(q, type)
    return waiting(function()
      local job <close> = assert(q:take(type, PATIENCE))
      job:done()
      return jobs.line(job)
    end)
  end

  -- ready again, with its first attempt to come
  local function untouched(q)
    local stat = q:stat()
    assert.same({1, 0, 0, 0}, {stat.ready, stat.taken, stat.delayed, stat.dead})
    local job <close> = q:take(nil, PATIENCE)
    assert.equal(1, job.attempt)
    job:done()
  end

  it("gets what another task sends", function()
    local q <close> = open()
    local t = taker(q)
    q:send(3, "x")
    assert.same({true, "x 3 attempt 1 deaths 0 -"}, {t:join(PATIENCE)})
  end)

  it("gets what another process sends", function()
    local q <close> = open()
    local t = taker(q, 2)
    local child <close> = assert(ipc.process(function()
      local mine = open()
      mine:send(1, "not for it")
      mine:send(2, "for it")
    end))
    assert.same({true, "for it 2 attempt 1 deaths 0 -"}, {t:join(PATIENCE)})
    child:wait(PATIENCE)
    assert.equal(1, #q)
  end)

  it("gets what is given back, retried, revived, or the next message of another", function()
    local q <close> = open()
    q:send(1, "x")
    local job = q:take(nil, PATIENCE)
    local t = taker(q)
    job:release()
    assert.same({true, "x 1 attempt 1 deaths 0 -"}, {t:join(PATIENCE)})

    q:send(1, "y")
    job = q:take(nil, PATIENCE)
    t = taker(q)
    job:retry(0, "again")
    assert.same({true, "y 1 attempt 2 deaths 0 again"}, {t:join(PATIENCE)})

    q:send(1, "z")
    job = q:take(nil, PATIENCE)
    t = taker(q)
    job:done(2, "after z")
    assert.same({true, "after z 2 attempt 1 deaths 0 -"}, {t:join(PATIENCE)})

    q:send(1, "d")
    q:take(nil, PATIENCE):bury()
    t = taker(q)
    assert.equal(1, q:revive())
    assert.equal("d 1 attempt 1 deaths 0", select(2, t:join(PATIENCE)):sub(1, 22))
  end)

  it("gets what another process gives back", function()
    local q <close> = open()
    q:send(1, "x")
    local child <close> = jobs.holder(open)
    local t = taker(q)
    child.channel:send{"release"}
    assert.same({true, "x 1 attempt 1 deaths 0 -"}, {t:join(PATIENCE)})
    assert.same({true}, child.channel:receive(PATIENCE))
  end)

  it("gets what becomes due, by take and by receive", function()
    local q <close> = open()
    local t = taker(q)
    q:send(1, "x", nil, {after = 0.03})
    assert.same({true, "x 1 attempt 1 deaths 0 -"}, {t:join(PATIENCE)})
    local r = waiting(function() return q:receive(nil, PATIENCE) end)
    q:send(2, "y", nil, {after = 0.03})
    assert.same({true, "y", 2}, {r:join(PATIENCE)})
  end)

  it("gets what becomes due in another process, which has gone", function()
    local q <close> = open()
    local t = taker(q)
    local child <close> = assert(ipc.process(function() open():send(1, "x", nil, {after = 0.05}) end))
    assert.is_true(child:wait(PATIENCE))
    assert.same({true, "x 1 attempt 1 deaths 0 -"}, {t:join(PATIENCE)})
  end)

  it("is served in order, each job once", function()
    local q <close> = open()
    local order, tasks = {}, {}
    for i = 1, 10 do
      tasks[i] = waiting(function()
        local job <close> = q:take(nil, PATIENCE)
        order[i] = job.message
        job:done()
      end)
    end
    for i = 1, 10 do q:send(1, i) end
    for i = 1, 10 do assert.is_true(tasks[i]:join(PATIENCE)) end
    assert.same({1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, order)
    assert.equal(0, q:stat().taken)
  end)

  it("that times out, or is cancelled, takes nothing", function()
    local q <close> = open()
    assert.same({nil, "timeout"}, {q:take(nil, 0)})
    assert.same({nil, "timeout"}, {q:take(nil, 0.01)})
    assert.same({nil, "timeout"}, {ipc.timeout(0.01, q.take, q)})
    local t = waiting(q.take, q)
    t:cancel()
    assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
    q:send(1, "x")
    untouched(q)
  end)

  it("whose task is cancelled when the job is there gets it, and an error gives it back", function()
    local q <close> = open()
    for _, remote in ipairs{false, true} do
      local t = waiting(function()
        local _ <close> = q:take(nil, PATIENCE)
        ipc.sleep(PATIENCE)
      end)
      if remote then
        local child <close> = assert(ipc.process(function() open():send(1, "x") end))
        child:wait(PATIENCE)
        while q:stat().taken == 0 do ipc.sleep(0.001) end
      else
        q:send(1, "x")
      end
      t:cancel()
      assert.is_false((t:join(PATIENCE)))
      untouched(q)
    end
  end)

  it("in a select takes nothing unless it wins", function()
    local q <close> = open()
    local other <close> = ipc.queue(ipc.private)
    q:send(1, "x")
    other:send(1, "y")
    assert.same({1, "y", 1}, {ipc.select({other, {q, "take"}}, PATIENCE)})
    local which, job = ipc.select({o = other, j = {q, "take", 1}}, PATIENCE)
    assert.equal("j", which)
    assert.equal("x", job.message)
    job:release()
    untouched(q)

    local t = waiting(function() return ipc.select({other, {q, "take"}}) end)
    other:send(1, "z")
    assert.same({true, 1, "z", 1}, {t:join(PATIENCE)})
    q:send(1, "x")
    untouched(q)

    t = waiting(function() return ipc.select({other, {q, "take"}}) end)
    q:send(1, "x")
    local ok, won, taken = t:join(PATIENCE)
    assert.same({true, 2}, {ok, won})
    taken:release()
    untouched(q)
  end)

  it("of two cases on one queue takes one job", function()
    local q <close> = open()
    q:send(1, "x")
    q:send(2, "y")
    local which, job = ipc.select({{q, "take", 2}, {q, "take", 1}}, PATIENCE)
    assert.same({1, "y"}, {which, job.message})
    job:done()
    untouched(q)
  end)

  it("beside receives gets its share, and nothing comes twice", function()
    local q <close> = open()
    local got, tasks = {}, {}
    local function note(message) got[message] = (got[message] or 0) + 1 end
    for i = 1, 6 do
      tasks[i] = ipc.task(function()
        for _ = 1, 10 do
          if i % 2 == 0 then
            note((assert(q:receive(nil, PATIENCE))))
          else
            local job <close> = assert(q:take(nil, PATIENCE))
            if math.random(3) == 1 then ipc.yield() end
            note(job.message)
            job:done()
          end
        end
      end)
    end
    for i = 1, 60 do assert.is_true(q:send(1, i, PATIENCE)) end
    for _, t in ipairs(tasks) do assert.is_true(t:join(PATIENCE)) end
    for i = 1, 60 do assert.equal(1, got[i]) end
    assert.same({0, 0}, {#q, q:stat().taken})
  end)

  it("ends when the queue is closed, or removed", function()
    local q = open()
    local t = waiting(q.take, q)
    q:close()
    assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
    assert.error_matches(function() q:take() end, "is closed")

    local again <close> = open()
    t = waiting(again.take, again)
    again:remove()
    assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
    assert.same({nil, "removed"}, {again:take(nil, 0)})
    settle()
  end)
end)
