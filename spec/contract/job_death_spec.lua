-- SPDX-License-Identifier: MIT
-- What every engine that has jobs promises when processes die, or stand still: no job is lost, none is stuck, none is
-- taken twice at once.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local jobs = require "spec.support.jobs"
local waits = require "spec.support.waits"

local PATIENCE, waiting = waits.PATIENCE, waits.waiting
local holder, kill, line = jobs.holder, jobs.kill, jobs.line

local function title(engine)
  local slow = engine.lease and " #slow" or "" -- each death takes as long as a lease
  return "a job whose process dies, on " .. engine.name .. slow
end

contract.jobs(_ENV, title, function(engine, open)
  local function one(options)
    local q = open(options)
    q:send(1, "x")
    return q
  end

  it("is known to be ready again by take, at once", function()
    local q <close> = one()
    kill(holder(open))
    local job <close> = assert(q:take(nil, engine.lease and PATIENCE or 0))
    assert.equal("x 1 attempt 2 deaths 1 its holder died", line(job))
    job:done()
  end)

  it("has that as its reason, whatever was said before", function()
    local q <close> = one{attempts = 9}
    q:take(nil, PATIENCE):retry(0, "said before")
    for n = 1, engine.lease and 1 or 2 do
      kill(holder(open))
      local job <close> = assert(q:take(nil, PATIENCE))
      assert.equal(n == 1 and "its holder died" or "its holder died (2 times)", job.reason)
      if n == 1 then job:release() else job:done() end
    end
  end)

  it("is known to be ready again by receive, stat, # and peek", function()
    for _, look in ipairs{
      function(q) return #q end, function(q) return q:stat().ready end,
      function(q) return q:receive(nil, 0) and 1 or 0 end,
    } do
      local q <close> = one()
      kill(holder(open))
      contract.at_last(engine, 1, look, q)
      q:remove()
    end
  end)

  it("is told to a task that waits", function()
    local q <close> = one()
    local child = holder(open)
    local t = waiting(function()
      local job <close> = assert(q:take(nil, PATIENCE))
      job:done()
      return job.deaths
    end)
    kill(child)
    assert.same({true, 1}, {t:join(PATIENCE)})
  end)

  it("is told to a task that waits to receive", function()
    local q <close> = one()
    local child = holder(open)
    local t = waiting(function() return q:receive(nil, PATIENCE) end)
    kill(child)
    assert.same({true, "x", 1}, {t:join(PATIENCE)})
  end)

  it("is ready in its own place", function()
    local q <close> = one()
    q:send(1, "y")
    local child = holder(open)
    assert.equal("y", q:peek())
    kill(child)
    contract.at_last(engine, "x", q.peek, q)
    for _, expected in ipairs{"x", "y"} do assert.equal(expected, (q:receive(nil, PATIENCE))) end
  end)

  it("is dead when so many processes have died of it", function()
    local q <close> = one{deaths = 2, attempts = 10}
    q:send(1, "y")
    kill(holder(open))
    contract.at_last(engine, 2, function() return #q end)
    kill(holder(open))
    contract.at_last(engine, 1, function() return q:stat().dead end)
    assert.equal("y", q:receive(nil, PATIENCE))
    local letter = q:dead()(q)
    assert.same({"x", 2}, {letter.message, letter.deaths})
    assert.matches("died", letter.reason)
    assert.equal(1, q:revive())
    local job <close> = q:take(nil, PATIENCE)
    assert.equal(0, job.deaths)
    job:done()
  end)

  it("is dead when its attempts are over", function()
    local q <close> = one{attempts = 1}
    kill(holder(open))
    local t = waiting(q.take, q)
    contract.at_last(engine, 1, function() return q:stat().dead end)
    assert.equal(0, #q)
    q:send(1, "y")
    local ok, job = t:join(PATIENCE)
    assert.same({true, "y"}, {ok, job.message})
    job:done()
  end)

  it("is its own while it is stopped, and as long as it likes", function()
    local q <close> = one()
    local child = holder(open)
    child:signal("STOP")
    assert.same({nil, "timeout"}, {q:take(nil, engine.lease and 0.1 or 0.3)})
    assert.equal(1, q:stat().taken)
    child:signal("CONT")
    child.channel:send{"done"}
    assert.same({true}, child.channel:receive(PATIENCE))
    child:close()
    assert.equal(0, q:stat().taken)
  end)

  it("is one of many: all of them are ready again, each once", function()
    local q <close> = open()
    for i = 1, 20 do q:send(1, i) end
    local child = assert(ipc.process(function(channel)
      local mine, held = open(), {}
      for i = 1, 20 do held[i] = assert(mine:take(nil, PATIENCE)) end
      held[7]:done()
      channel:send("taken")
      ipc.sleep(PATIENCE)
    end))
    assert.equal("taken", child.channel:receive(PATIENCE))
    kill(child)
    contract.at_last(engine, 19, function() return #q end)
    for i = 1, 20 do
      if i ~= 7 then
        local job <close> = q:take(nil, PATIENCE)
        assert.same({i, 2, 1}, {job.message, job.attempt, job.deaths})
        job:done()
      end
    end
    assert.same({0, 0}, {#q, q:stat().taken})
  end)

  it("that is delayed, dead or done stays that", function()
    local q <close> = open()
    for i = 1, 3 do q:send(i, i) end
    local child = assert(ipc.process(function(channel)
      local mine = open()
      mine:take(1, PATIENCE):retry(1000, "later")
      mine:take(2, PATIENCE):bury("never")
      mine:take(3, PATIENCE):done()
      channel:send("said")
      ipc.sleep(PATIENCE)
    end))
    assert.equal("said", child.channel:receive(PATIENCE))
    kill(child)
    local stat = q:stat()
    assert.same({0, 0, 1, 1}, {stat.ready, stat.taken, stat.delayed, stat.dead})
  end)

  it("does not come back when a child of the holder dies", function()
    local q <close> = one()
    local job <close> = q:take(nil, PATIENCE)
    local child = assert(ipc.process(function(channel)
      channel:send(tostring(job))
      ipc.sleep(PATIENCE)
    end))
    assert.matches("expired", child.channel:receive(PATIENCE))
    kill(child)
    assert.same({nil, "timeout"}, {q:take(nil, 0)})
    assert.is_true(job:done())
  end)

  -- Workers are killed while they work. Each job has a slot, which its worker holds by compare-and-swap: two of them at
  -- once would be seen there. A worker that dies leaves it held, by a pid that is no more.
  it("is never taken twice at once, and none is lost, whichever is killed when", function()
    local JOBS <const>, WORKERS <const>, KILLS <const> = 60, 3, engine.lease and 3 or 25
    local q <close> = open{deaths = 1000, attempts = 1000, backoff = {0, 0}}
    local slots <close> = ipc.shared_memory(ipc.private, 2 * JOBS + 1)
    local function work()
      local mine = open{deaths = 1000, attempts = 1000, backoff = {0, 0}}
      while true do
        local job <close> = assert(mine:take(nil, PATIENCE))
        local i = job.message
        local held = slots[i]
        local gone = held == 0 or not os.execute(("kill -0 %d 2>/dev/null"):format(held))
        if not (gone and slots:compare_and_swap(i, held, ipc.pid())) then slots:add(0, 1) end
        for _ = 1, math.random(3) do ipc.yield() end
        slots[i] = 0
        if slots[JOBS + i] ~= 0 and job.deaths == 0 then slots:add(0, 1) end
        slots[JOBS + i] = 1
        if not job:done() then slots:add(0, 1) end
      end
    end
    local children = {}
    for i = 1, WORKERS do children[i] = assert(ipc.process(work)) end
    for i = 1, JOBS do q:send(1, i, PATIENCE) end
    for i = 1, KILLS do
      ipc.sleep(math.random() * 0.02)
      local at = i % WORKERS + 1
      kill(children[at])
      children[at] = assert(ipc.process(work))
    end
    contract.at_last({lease = true}, 0, function()
      local stat = q:stat()
      return stat.ready + stat.taken + stat.delayed
    end)
    for _, child in ipairs(children) do kill(child) end
    assert.equal(0, slots[0])
    assert.equal(0, q:stat().dead)
    for i = 1, JOBS do assert.equal(1, slots[JOBS + i]) end
  end)
end)
