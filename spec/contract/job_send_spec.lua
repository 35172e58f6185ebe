-- SPDX-License-Identifier: MIT
-- What every engine that has jobs promises of how one is sent: its id, its time, its attempts.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

contract.jobs(_ENV, "a job is sent", function(_, open)
  local function take(q, type) return assert(q:take(type, PATIENCE)) end

  it("at a time that it tells", function()
    local q <close> = open()
    local before = os.time() - 1 -- some clocks are read at their ticks
    assert.is_true(q:send(1, "x", nil, {}))
    assert.is_true(q:send(1, "y"))
    for _ = 1, 2 do
      local job <close> = take(q)
      assert.equal("float", math.type(job.sent))
      assert.is_true(job.sent >= before and job.sent <= os.time() + 1)
      job:done()
    end
  end)

  it("with an id, which no other that is ready, delayed or taken has", function()
    local q <close> = open()
    local function again() return q:send(1, "again", nil, {id = "mail 7"}) end
    assert.same({true, "mail 7"}, {q:send(1, "a", nil, {id = "mail 7"})})
    assert.same({nil, "exists"}, {again()})
    local job = take(q)
    assert.equal("mail 7", job.id)
    assert.same({nil, "exists"}, {again()})
    job:retry(100)
    assert.same({nil, "exists"}, {again()})
    assert.is_true(q:send(1, "b", nil, {id = "mail 8"}))
    take(q):bury()
    assert.same({true, "mail 8"}, {q:send(1, "b", nil, {id = "mail 8"})})
    take(q):done()
    assert.same({true, "mail 8"}, {q:send(1, "b", nil, {id = "mail 8"})})
    assert.equal("b", q:receive(nil, PATIENCE))
    assert.same({true, "mail 8"}, {q:send(1, "b", nil, {id = "mail 8"})})
  end)

  it("with an id of any bytes, up to 255", function()
    local q <close> = open()
    for _, id in ipairs{"\0", "a\nb\0c", ("i"):rep(255), "ü"} do
      assert.same({true, id}, {q:send(1, "x", nil, {id = id})})
      local job <close> = take(q)
      assert.equal(id, job.id)
      job:done()
    end
  end)

  it("with an id that is given only once, if it says none", function()
    local q <close> = open()
    local seen = {}
    for i = 1, 5 do
      local ok, id = q:send(1, "x", nil, {})
      assert.same({true, "#" .. i}, {ok, id})
      assert.is_nil(seen[id])
      seen[id] = true
      local job <close> = take(q)
      assert.equal(id, job.id)
      job:done()
    end
    assert.same({true}, {q:send(1, "x")})
  end)

  it("as a case of a select, each with its own id", function()
    local q <close> = open()
    local cases = {{q, "send", 1, "a", nil, {id = "one"}}, {q, "send", 2, "b", nil, {id = "two"}}}
    local which, ok, id = ipc.select(cases, PATIENCE)
    assert.same({true, which == 1 and "one" or "two"}, {ok, id})
    assert.equal(1, #q)
    local job <close> = take(q)
    assert.same({id, which}, {job.id, job.type})
    job:done()
  end)

  it("to be due later: until then nothing sees it", function()
    local q <close> = open()
    assert.is_true(q:send(1, "later", nil, {after = 1000}))
    assert.is_true(q:send(1, "now"))
    assert.equal("now", q:peek())
    assert.equal(1, #q)
    local now = take(q)
    assert.equal("now", now.message)
    assert.same({nil, "timeout"}, {q:receive(nil, 0)})
    assert.same({nil, "timeout"}, {q:take(nil, 0)})
    now:done()
  end)

  it("to be due later: then it has the place of its sending", function()
    local q <close> = open()
    local since = ipc.now()
    assert.is_true(q:send(1, "later", nil, {after = 0.05}))
    assert.is_true(q:send(1, "now"))
    repeat ipc.sleep(0.005) until q:stat().delayed == 0
    assert.is_true(ipc.now() - since >= 0.049)
    assert.same({"later", 1}, {q:receive(nil, PATIENCE)})
    assert.same({"now", 1}, {q:receive(nil, PATIENCE)})
  end)

  it("to be due at a time of the clock, or at once if that is past", function()
    local q <close> = open()
    assert.is_true(q:send(1, "past", nil, {at = os.time() - 10}))
    assert.is_true(q:send(2, "far", nil, {at = os.time() + 1000}))
    assert.equal("past", q:receive(nil, PATIENCE))
    assert.same({0, 1}, {#q, q:stat().delayed})
  end)

  it("in no other way", function()
    local q <close> = open()
    for how, text in pairs{
      [{After = 1}] = "unknown option 'After'",
      [{after = -1}] = "after must be seconds", [{after = "x"}] = "after must be",
      [{at = -1}] = "at must be a time", [{after = 1, at = 1}] = "after and at", [{id = ""}] = "id must be a string",
      [{id = "#1"}] = "id must be", [{id = ("x"):rep(256)}] = "id must be", [{id = 7}] = "id must be",
      [{attempts = 0}] = "attempts must be", [{attempts = 1.5}] = "attempts must be",
      [{attempts = 1 << 16}] = "attempts must be",
    } do
      assert.error_matches(function() q:send(1, "x", nil, how) end, text)
    end
    assert.equal(0, #q)
  end)
end)
