-- SPDX-License-Identifier: MIT
-- A process dies before every single store that an operation on jobs makes into a queue in shared memory. Whatever
-- comes after: a job is in one of the two states, with the death counted if it was taken; counts and room add up; and
-- those that wait get what there is. `make points` runs this.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local points = require "spec.support.points"
local processes = require "spec.support.processes"
local segment = require "spec.support.segment"

local CAPACITY <const> = 3000
local PATIENCE <const> = points.PATIENCE
local REASON <const> = ("a reason that is longer than what is left of a block, "):rep(4)
local shm = engines.shm

describe("a process that dies at a store, with jobs", function()
  if points.missing then return pending(points.missing) end

  local key, q
  local limits = {}
  local function open()
    return assert(ipc.queue(key, {
      codec = "raw", capacity = CAPACITY, attempts = limits.attempts, deaths = limits.deaths, keep = limits.keep,
    }))
  end
  before_each(function()
    key = shm.key()
    q = open()
  end)
  after_each(function()
    limits = {}
    shm.cleanup()
  end)

  local function send(text, options) assert(q:send(1, text, 0, options)) end

  -- Takes a job and keeps it: collected, it would be given back.
  local kept = {}
  local function take(own)
    kept[#kept + 1] = assert(own:take(0, 0))
    return kept[#kept]
  end

  local function holding()
    local own = open()
    return own, take(own)
  end

  local function sound()
    points.sound("queue", key, function() q:stat() end)
  end

  -- All that is there, which is gone then: "a" with its count of deaths where it has died, then the delayed ones (by
  -- their number), then "dead:a".
  local function contents(counted)
    local list = {}
    sound()
    local stat = q:stat()
    assert.equal(0, stat.taken)
    while true do
      local job = q:take(0, 0)
      if not job then break end
      list[#list + 1] = job.message .. (job.deaths > 0 and "+" .. job.deaths or "")
      assert.is_true(counted or job.attempt == 1 + job.deaths, "attempts")
      assert(job:done())
    end
    assert.is_true(#list == stat.ready or limits.attempts and #list < stat.ready) -- one over its limit dies now
    if stat.delayed > 0 then list[#list + 1] = "delayed:" .. stat.delayed end
    for letter in q:dead() do
      list[#list + 1] = "dead:" .. letter.message .. (letter.reason == REASON and "!" or "")
    end
    q:drop()
    sound()
    -- there is all the room again
    if stat.delayed == 0 then
      assert(q:send(1, ("x"):rep(CAPACITY), 0))
      assert(q:receive(0, 0))
    end
    return table.concat(list, " ")
  end

  local function renew()
    q:remove()
    q = open()
  end

  -- What is there after the death is one of these, and the last one if there was none; each is there sometimes.
  local function each(case, ...)
    local outcomes, seen = {...}, {}
    local n = points.each{
      before = case.before, open = case.open or open, act = case.act,
      after = function(survived)
        if case.waits then ipc.sleep(case.waits) end
        local is = contents(case.counted)
        seen[is] = true
        local expected = is == outcomes[#outcomes]
        for _, outcome in ipairs(outcomes) do expected = expected or is == outcome and not survived end
        assert.is_true(expected, is)
        renew()
      end,
    }
    for _, outcome in ipairs(outcomes) do assert.is_true(seen[outcome], "never: " .. outcome) end
    return n
  end

  local function fill() send "a" send "b" end

  it("has taken one, or not: it is there in both cases", function()
    each({before = fill, act = take}, "a b", "a+1 b")
    each({
      before = function()
        fill()
        assert(q:take(0, 0)):release() -- it is in the tree
      end,
      act = function(own) take(own):done() take(own) end,
    }, "a b", "a+1 b", "b", "b+1")
  end)

  -- Another one has died that held "a"; each may be taken once.
  it("has taken one behind one that is over its limit, or not", function()
    limits.attempts = 1
    renew()
    each({
      before = function()
        fill()
        points.run(0, open, take)
      end,
      act = take,
    }, "b dead:a", "dead:a dead:b")
  end)

  it("has received one or more that had been given back, or not", function()
    local function before()
      fill()
      assert(q:take(0, 0)):release()
    end
    each({before = before, act = function(own) own:receive(0, 0) end}, "a b", "b")
    each({before = before, act = function(own) own:receive_many(3, 0, 0) end}, "a b", "b", "")
  end)

  it("has ended one, or not", function()
    local long = ("l"):rep(1000)
    each({before = fill, open = holding, act = function(_, job) job:done() end}, "a+1 b", "b")
    each({
      before = function() send(long) send "b" end,
      open = holding, act = function(_, job) job:done() end,
    }, long .. "+1 b", "b")
    each({
      before = function() send("a", {id = "id"}) fill() end,
      open = holding, act = function(_, job) job:done() end,
    }, "a+1 a b", "a b")
  end)

  it("has ended one and sent the next, or neither", function()
    each({before = fill, open = holding, act = function(_, job) job:done(2, "next") end}, "a+1 b", "b next")
  end)

  it("has given one back, or not", function()
    each({before = fill, open = holding, act = function(_, job) job:release() end}, "a+1 b", "a b")
    each({before = fill, open = holding, act = function(own) own:close() end}, "a+1 b", "a b")
    each({
      before = fill,
      open = function()
        local own = open()
        take(own)
        take(own)
        return own
      end,
      act = function(own) own:close() end,
    }, "a+1 b+1", "a+1 b", "a b")
  end)

  it("has delayed one, or not", function()
    each({before = fill, open = holding, act = function(_, job) job:retry(3600, REASON) end}, "a+1 b", "b delayed:1")
    each({before = fill, open = holding, counted = true, act = function(_, job) job:retry(0) end}, "a+1 b", "a b")
  end)

  it("has buried one, or not", function()
    each({before = fill, open = holding, act = function(_, job) job:bury(REASON) end}, "a+1 b", "b dead:a!")
    limits.attempts = 1
    renew()
    each({before = fill, open = holding, act = function(_, job) job:retry(0, REASON) end}, "b dead:a", "b dead:a!")
  end)

  it("has buried one and dropped the oldest, or not", function()
    limits.keep = 1
    renew()
    each({
      before = function()
        send "old"
        assert(q:take(0, 0)):bury()
        fill()
      end,
      open = holding, act = function(_, job) job:bury() end,
    }, "a+1 b dead:old", "b dead:old dead:a", "b dead:a")
  end)

  it("has put back what another one held that died, or not: the next one does", function()
    local function before()
      fill()
      points.run(0, open, function(own) take(own) take(own) end)
    end
    each({before = before, act = function(own) own:stat() end}, "a+1 b+1")
    limits.deaths = 1
    renew()
    each({before = before, act = function(own) own:stat() end}, "dead:b dead:a")
  end)

  it("has made those ready that are due, or not: the next one does", function()
    each({
      before = function()
        send("a", {after = 0.001})
        send("b", {after = 0.002, id = "b"})
        ipc.sleep(0.005) -- they are due
      end,
      act = function(own) own:stat() end,
    }, "a b")
  end)

  it("has sent one with an id, or a delayed one, or not", function()
    each({before = fill, act = function(own) own:send(1, "c", 0, {id = "c", attempts = 3}) end}, "a b", "a b c")
    each({before = fill, act = function(own) own:send(1, "c", 0, {id = "c", after = 3600}) end}, "a b", "a b delayed:1")
    each({
      before = function()
        send("x", {id = "c"})
        assert(q:take(0, 0)):done()
        fill()
      end,
      act = function(own) own:send(1, "c", 0, {id = "c"}) end,
    }, "a b", "a b c")
  end)

  local function letters()
    fill()
    assert(q:take(0, 0)):bury(REASON)
    assert(q:take(0, 0)):bury()
  end

  it("has revived or dropped dead letters, or not", function()
    each({before = letters, act = function(own) own:revive() end}, "dead:a! dead:b", "a dead:b", "a b")
    each({before = letters, act = function(own) own:drop() end}, "dead:a! dead:b", "dead:b", "")
    each({
      before = function() letters() send(("x"):rep(CAPACITY - 20)) end,
      act = function(own) assert(own:send(1, "more than there was.", 0)) end,
    }, ("x"):rep(CAPACITY - 20) .. " dead:a! dead:b", ("x"):rep(CAPACITY - 20) .. " dead:b",
      ("x"):rep(CAPACITY - 20), ("x"):rep(CAPACITY - 20) .. " more than there was.")
    local most = ("x"):rep(CAPACITY - 1)
    each({before = letters, act = function(own) own:send_many(1, {most, "y"}, 0) end},
      "dead:a! dead:b", "dead:b", most .. " dead:b", most, most .. " y")
  end)

  it("may be followed by others that die while they repair", function()
    local function act(_, job)
      job:retry(3600, REASON)
    end
    local total = each({before = fill, open = holding, act = act}, "a+1 b", "b delayed:1")
    for n = 3, total, 7 do
      points.each{
        before = function()
          fill()
          points.run(n, holding, act)
        end,
        open = open, act = function(own) own:stat() end,
        after = function()
          local is = contents()
          assert.is_true(is == "a+1 b" or is == "b delayed:1", is)
          renew()
        end,
      }
    end
  end)

  -- A waiter takes what is given back, or what the death sets free; and knows of a holder that came while it slept.
  it("wakes the one that waits in take", function()
    local waiter
    local function come()
      waiter = points.waiter("queue", key, open, function(own)
        local job = own:take(0, PATIENCE)
        local text = job and job.message
        if job then job:done() end
        return text
      end)
    end
    local acts = {
      release = function(_, job) job:release() end,
      retry = function(_, job) job:retry(0.001) end,
      close = function(own) own:close() end,
      next = function(_, job) job:done(1, "a") end,
    }
    for _, act in pairs(acts) do
      points.each{
        before = function() send "a" end,
        open = holding, act = act, meanwhile = come,
        after = function()
          if not waiter then come() end -- it came to the end before it could stop
          assert.equal("a", points.result(waiter))
          waiter:close()
          waiter = nil
          assert.equal("", contents())
          renew()
        end,
      }
    end
  end)

  -- It stands still with the latch, or elsewhere: a word waits for it, other tasks go on, and nothing is lost by a
  -- close.
  it("makes words wait, and does not lose them", function()
    local function done(own, job)
      local t = ipc.task(function() return job:done() end)
      return "b", function()
        assert.same({true, true}, {t:join(PATIENCE)})
        own:close()
      end
    end
    local function retry_and_close(own, job)
      local t = ipc.task(function() return job:retry(0) end)
      ipc.yield()
      own:close()
      return "a b", function() t:join(PATIENCE) end
    end
    local function close_both(own, job)
      job:close()
      own:close()
      return "a b", function() end
    end
    for _, word in ipairs{done, retry_and_close, close_both} do
      local own, job, outcome, finish
      points.each{
        before = function()
          fill()
          own, outcome = open(), nil
          job = assert(own:take(0, 0))
        end,
        open = open,
        act = function(child) child:peek() end,
        meanwhile = function() outcome, finish = word(own, job) end,
        after = function()
          if not outcome then outcome, finish = word(own, job) end
          finish()
          processes.await(function()
            return #segment.jobs(segment.read("queue", key), "taken") == 0
          end, "it is taken")
          assert.equal(outcome, contents(true))
          renew()
        end,
      }
    end
  end)

  -- A process sleeps, and wants none of these: it learns of the holder that comes, and puts back what that leaves.
  it("is noticed by one that slept before it took anything", function()
    local waiter <close> = points.waiter("queue", key, open, function(own) return own:take(2, PATIENCE) end)
    points.each{
      before = function() send "a" end,
      open = open,
      act = take,
      after = function()
        processes.await(function()
          local ok, taken = pcall(segment.jobs, segment.read("queue", key), "taken")
          return ok and #taken == 0
        end, "it is not put back")
        assert.matches("^a%+?1?$", contents())
      end,
    }
    waiter:close()
  end)
end)
