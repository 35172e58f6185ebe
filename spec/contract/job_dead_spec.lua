-- SPDX-License-Identifier: MIT
-- What every engine that has jobs promises of dead letters: they wait for a decision, and are never in
-- the way.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local jobs = require "spec.support.jobs"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

contract.jobs(_ENV, "dead letters", function(engine, open)
  -- sends so many, and buries them
  local function bury(q, n, first)
    for i = first or 1, (first or 1) + n - 1 do
      assert.is_true(q:send(i, "m" .. i, PATIENCE, {id = "id" .. i}))
      assert.is_true(q:take(i, PATIENCE):bury("because " .. i))
    end
  end

  local function ids(q)
    local list = {}
    for letter in q:dead() do list[#list + 1] = letter.id end
    return table.concat(list, " ")
  end

  it("are told with all that a job has, the first one first", function()
    local q <close> = open()
    bury(q, 3)
    assert.same({"m1 1 attempt 1 deaths 0 because 1", "m2 2 attempt 1 deaths 0 because 2",
      "m3 3 attempt 1 deaths 0 because 3"}, jobs.dead(q))
    for letter in q:dead() do
      assert.equal("table", type(letter))
      assert.is_nil(letter.token)
      assert.is_true(letter.sent <= os.time() + 1 and letter.sent > os.time() - 1000)
      assert.is_nil(getmetatable(letter))
    end
    assert.equal(3, q:stat().dead)
    assert.equal(0, #q)
    assert.same({nil, "timeout"}, {q:take(nil, 0)})
  end)

  it("come back in their old places, as if new", function()
    local q <close> = open()
    q:send(1, "a")
    local first = q:take(nil, PATIENCE)
    q:send(1, "b")
    first:bury("x")
    assert.equal(1, q:revive())
    local job <close> = q:take(nil, PATIENCE)
    assert.same({"a", 1, 0}, {job.message, job.attempt, job.deaths})
    job:done()
    assert.equal("b", q:receive(nil, PATIENCE))
    assert.same({}, jobs.dead(q))
  end)

  it("come back, or go, by id or all together", function()
    local q <close> = open()
    bury(q, 4)
    assert.same({0, 0}, {q:revive("no such"), q:drop("no such")})
    assert.equal(1, q:revive("id2"))
    assert.equal(1, q:drop("id3"))
    assert.equal("id1 id4", ids(q))
    assert.equal("m2", q:receive(nil, PATIENCE))
    assert.equal(2, q:drop())
    assert.same({0, 0}, {q:drop(), q:revive()})
    assert.equal("", ids(q))
    local stat = q:stat()
    assert.same({0, 0, 0}, {stat.ready, stat.dead, stat.bytes})
  end)

  it("are not more than the queue keeps: the oldest go", function()
    local q <close> = open{keep = 3}
    bury(q, 5)
    assert.equal("id3 id4 id5", ids(q))
    assert.equal(3, q:stat().dead)
  end)

  it("are not kept at all with keep = 0", function()
    local q <close> = open{keep = 0}
    bury(q, 2)
    assert.equal("", ids(q))
    assert.equal(0, q:stat().bytes)
  end)

  it("need no room to die, and never keep a queue full", function()
    local q <close> = open()
    local large = ("y"):rep(engine.queue.max_message // 8)
    while q:send(1, large, 0) do end
    local count = #q
    for _ = 1, count do assert.is_true(q:take(nil, PATIENCE):bury("all of them")) end
    assert.equal(count, q:stat().dead)
    for _ = 1, count do assert.is_true(q:send(2, large, 0)) end
    assert.same({nil, "timeout"}, {q:send(2, large, 0)})
    assert.equal(0, q:stat().dead)
  end)

  it("may be looked at while they change", function()
    local q <close> = open()
    bury(q, 6)
    local seen = {}
    for letter in q:dead() do
      seen[#seen + 1] = letter.id
      if letter.id == "id2" then q:drop("id3") q:revive("id4") q:drop("id2") end
    end
    assert.equal("id1 id2 id5 id6", table.concat(seen, " "))
  end)

  it("are those of an attempt too many, with the last reason", function()
    local q <close> = open{attempts = 3, backoff = {0, 0}}
    q:send(1, "x")
    for i = 1, 3 do q:take(nil, PATIENCE):retry(0, "try " .. i) end
    assert.same({"x 1 attempt 3 deaths 0 try 3"}, jobs.dead(q))
  end)

  it("end their loop with the queue", function()
    local q <close> = open()
    bury(q, 2)
    local next_letter, state = q:dead()
    assert.equal("id1", next_letter(state).id)
    q:remove()
    assert.is_nil(next_letter(state))
    local closed = ipc.queue(ipc.private)
    next_letter, state = closed:dead()
    closed:close()
    if next_letter then assert.is_nil(next_letter(state)) end
  end)
end)
