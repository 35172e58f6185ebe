-- SPDX-License-Identifier: MIT
-- A process is killed at a point of an operation on a queue on a disk: before and after each store into what processes
-- share there, before each write and sync, and in the middle of a write. Whatever comes after, in a process that has
-- the folder open and in one that opens it again: a job is in one of the two states, the counts add up, those that wait
-- get what there is, and all others go on. `make test` tries some points, `make points` all of them.

local ipc = require "ipc"
local disk = require("spec.support.engines").disk
local kill_points = require "spec.support.kill_points"
local peer = require "spec.support.peer"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local CAPACITY <const> = 60000
local LONG <const> = ("l"):rep(9000)
local REASON <const> = "a reason"

-- What a process does before its points are counted.
local OPEN <const> = ([[
  local options = {codec = "raw", capacity = %d, sync = "SYNC", LIMITS}
  local q = assert(ipc.queue(ipc.disk_key(os.getenv "FOLDER", "jobs"), options))
]]):format(CAPACITY)
local HOLD <const> = OPEN .. "local job = assert(q:take(0, 0)) "

describe("a process that dies at a point, with a queue on a disk #nosan", function()
  local limits, template, folder, shift = nil, nil, nil, 0

  before_each(function()
    limits = {}
    template, folder = disk.folder() .. "/template", disk.folder() .. "/shop"
  end)
  after_each(disk.cleanup)
  teardown(peer.clean)

  local function open(path, sync)
    return assert(ipc.queue(ipc.disk_key(path, "jobs"), {
      codec = "raw", capacity = CAPACITY, sync = sync, attempts = limits.attempts, deaths = limits.deaths,
      keep = limits.keep,
    }))
  end

  local function code(text, sync)
    local words = {}
    for name, value in pairs(limits) do words[#words + 1] = ("%s = %d"):format(name, value) end
    return (text:gsub("SYNC", sync):gsub("LIMITS", table.concat(words, ", ")))
  end

  -- All that is there, which is gone then: "a" with its count of deaths where it has died, then the delayed ones (by
  -- their number), then "dead:a".
  local function contents(q)
    if q:send(9, "", 0) then assert(q:receive(9, 0)) end -- what the dead one has begun is there from a change on
    local stat, why = q:stat()
    local list = {}
    if why == "removed" then return "" end
    assert.equal(0, stat.taken)
    while true do
      local job = q:take(0, 0)
      if not job then break end
      list[#list + 1] = (#job.message > 100 and "long" or job.message) .. (job.deaths > 0 and "+" .. job.deaths or "")
      assert(job:done())
    end
    if stat.delayed > 0 then list[#list + 1] = "delayed:" .. stat.delayed end
    for letter in q:dead() do
      list[#list + 1] = "dead:" .. letter.message .. (letter.reason == REASON and "!" or "")
    end
    q:drop()
    if stat.delayed == 0 then -- there is all the room again
      assert(q:send(1, ("x"):rep(CAPACITY), 0))
      assert(q:receive(0, 0))
    end
    return table.concat(list, " ")
  end

  local function renew(fill)
    assert(os.execute(("rm -rf %s"):format(template)))
    local q <close> = open(template)
    fill(q)
  end

  -- One process dies there, while this one has the folder open or has not. Returns what there is then, and whether it
  -- came to its end.
  local function try(case, sync, n, live)
    assert(os.execute(("rm -rf %s && cp -r %s %s"):format(folder, template, folder)))
    local other = live and open(folder, sync)
    local survived = kill_points.run(folder, code(case.open or OPEN, sync), code(case.act, sync), n)
    local q <close> = other or open(folder, sync)
    local is = contents(q)
    kill_points.look(folder, true)
    q:close()
    kill_points.look(folder)
    return is, survived
  end

  -- What is there after the death is one of these, and the last one if there was none; each is there sometimes.
  local function each(case, ...)
    local outcomes = {...}
    renew(case.fill)
    for _, sync in ipairs{"each", "soon"} do
      local seen = {}
      local last, count = try(case, sync, 0, false)
      assert.equal(outcomes[#outcomes], last)
      shift = shift + 1
      local function at(n, live)
        local is, survived = try(case, sync, n, live)
        seen[is] = true
        local expected = is == outcomes[#outcomes]
        for _, outcome in ipairs(outcomes) do expected = expected or is == outcome and not survived end
        assert.is_true(expected, ("%s at %d, %s, %s"):format(is, n, sync, live))
        return survived
      end
      local all = kill_points.each(count, 7 * shift, function(n) return at(n, n % 2 == 0) end)
      if all then
        kill_points.each(count, 0, function(n) return at(n, n % 2 == 1) end)
        for _, outcome in ipairs(outcomes) do assert.is_true(seen[outcome], "never: " .. outcome) end
      end
    end
  end

  local function fill(q)
    assert(q:send(1, "a"))
    assert(q:send(1, "b"))
  end

  it("has made the queue, or not", function()
    each({fill = function() end, open = "", act = OPEN .. "assert(q:send(1, 'c'))"}, "", "c")
  end)

  it("has sent one, or not", function()
    each({fill = fill, act = "q:send(1, 'c')"}, "a b", "a b c")
    each({fill = fill, act = "q:send(1, 'c', nil, {id = 'c', after = 3600})"}, "a b", "a b delayed:1")
    each({fill = fill, act = "q:send(1, ('l'):rep(9000), nil, {id = 'c'})"}, "a b", "a b long")
  end)

  it("has sent many, or some, or none", function()
    each({fill = fill, act = "q:send_many(1, {'c', ('l'):rep(9000), 'd'})"}, "a b", "a b c long d")
  end)

  it("has received one, or many, or not", function()
    each({fill = fill, act = "q:receive(0, 0)"}, "a b", "b")
    each({fill = function(q) fill(q) q:send(1, LONG) end, act = "q:receive_many(3, 0, 0)"}, "a b long", "")
  end)

  it("has taken one, or not", function()
    each({fill = fill, act = "q:take(0, 0)"}, "a b", "a+1 b")
    each({fill = fill, open = HOLD, act = "q:take(0, 0)"}, "a+1 b", "a+1 b+1")
  end)

  it("has ended one, or not", function()
    each({fill = fill, open = HOLD, act = "job:done()"}, "a+1 b", "b")
    each({fill = function(q) q:send(1, LONG, nil, {id = "id"}) end, open = HOLD, act = "job:done()"}, "long+1", "")
  end)

  it("has ended one and sent the next, or neither", function()
    each({fill = fill, open = HOLD, act = "job:done(2, 'next')"}, "a+1 b", "b next")
  end)

  it("has given one back, or not", function()
    each({fill = fill, open = HOLD, act = "job:release()"}, "a+1 b", "a b")
    each({
      fill = fill,
      open = HOLD .. "local r = assert(ipc.queue(ipc.disk_key(os.getenv 'FOLDER', 'jobs')))",
      act = "q:close() while #r < 2 do ipc.sleep(0.001) end",
    }, "a+1 b", "a b")
  end)

  it("has delayed one, or not", function()
    each({fill = fill, open = HOLD, act = "job:retry(3600, 'a reason')"}, "a+1 b", "b delayed:1")
    each({fill = fill, open = HOLD, act = "job:retry(0)"}, "a+1 b", "a b")
  end)

  it("has buried one, or not", function()
    each({fill = fill, open = HOLD, act = "job:bury('a reason')"}, "a+1 b", "b dead:a!")
    limits.keep = 1
    each({
      fill = function(q)
        q:send(1, "old")
        q:take(0, 0):bury()
        fill(q)
      end,
      open = HOLD, act = "job:bury('a reason')",
    }, "a+1 b dead:old", "b dead:a!")
    limits.attempts = 1
    each({fill = fill, open = HOLD, act = "job:retry(0, 'a reason')"}, "b dead:a", "b dead:a!")
  end)

  -- Two jobs of a process that has ended: that is known where another one opens the folder, too.
  local function held(q)
    fill(q)
    q:close()
    kill_points.run(template, code(OPEN, "each"), "q:take(0, 0) q:take(0, 0)", 0)
  end

  it("has put back what another one held that died, or not: the next one does", function()
    each({fill = held, act = "q:stat()"}, "a+1 b+1")
    limits.deaths = 1
    each({fill = held, act = "q:take(0, 0)"}, "dead:a dead:b")
  end)

  it("has made those ready that are due, or not: the next one does", function()
    each({
      fill = function(q)
        q:send(1, "a", nil, {at = os.time() - 10, id = "a"})
        q:send(1, "b", nil, {after = 0.001, id = "b"})
        q:send(1, "c", nil, {after = 0.001})
      end,
      act = "while #q < 3 do q:stat() end",
    }, "a b c")
  end)

  local function letters(q)
    fill(q)
    q:take(0, 0):bury(REASON)
    q:take(0, 0):bury()
  end

  it("has revived or dropped dead letters, or not", function()
    each({fill = letters, act = "q:revive()"}, "dead:a! dead:b", "a b")
    each({fill = letters, act = "q:drop()"}, "dead:a! dead:b", "")
    each({fill = function(q) letters(q) q:send(1, LONG) end, act = "q:send(1, ('l'):rep(51000 - 1))"},
      "long dead:a! dead:b", "long long dead:b")
  end)

  -- A process waits while another one dies. Nothing but the death itself, or what was done before it, calls that one:
  -- the folder is looked at from outside.
  local function await(case, sync, n)
    assert(os.execute(("rm -rf %s && cp -r %s %s"):format(folder, template, folder)))
    local q <close> = open(folder, sync)
    local waiter
    local function wait() waiter = waits.waiting(case.wait, q) end
    local survived = kill_points.run(folder, code(case.open or OPEN, sync), case.act, n, wait)
    if case.is_called(kill_points.look(folder, true)) then
      assert.same({true, true}, {waiter:join(PATIENCE)}, ("%s at %d"):format(sync, n))
    else
      waiter:cancel()
      waiter:join(PATIENCE)
    end
    assert(q:stat())
    kill_points.look(folder, true)
    return survived
  end

  local function await_each(case)
    renew(case.fill)
    for _, sync in ipairs{"each", "soon"} do
      shift = shift + 1
      local survived = await(case, sync, 0)
      kill_points.each(survived, 7 * shift, function(n) return await(case, sync, n) end)
    end
  end

  local function always() return true end
  local function take(text, type)
    return function(q)
      local job <close> = assert(q:take(type or 0, PATIENCE))
      return job.message == text or job.message
    end
  end

  it("leaves none waiting beside a job that it held, sent or gave back", function()
    local function one(q) q:send(1, "a") end
    for _, act in ipairs{"job:release()", "job:retry(0)", "job:retry(0.001)", "q:close()", "job:done(1, 'a')"} do
      await_each({fill = one, open = HOLD, act = act, wait = take "a", is_called = always})
    end
    await_each({
      fill = fill, act = "q:send(2, 'c')", wait = take("c", 2),
      is_called = function(ready, _, taken) return ready + taken > 2 end,
    })
  end)

  it("leaves none waiting beside room that it made", function()
    local function full(q) q:send(1, ("f"):rep(CAPACITY)) end
    local function wait(q) return q:send(2, "room", PATIENCE) end
    await_each({
      fill = full, open = HOLD, act = "job:done()", wait = wait,
      is_called = function(ready, _, taken) return ready + taken == 0 end,
    })
    await_each({
      fill = full, act = "q:receive(0, 0)", wait = wait, is_called = function(ready) return ready == 0 end,
    })
  end)

  it("has removed the queue, or not", function()
    each({fill = fill, act = "q:remove()"}, "a b", "")
  end)
end)
