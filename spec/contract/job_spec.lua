-- SPDX-License-Identifier: MIT
-- What every engine that has jobs promises of one: its states, and the words that change them.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local jobs = require "spec.support.jobs"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local ENOTSUP <const>, EMSGSIZE <const> = 95, 90
local line = jobs.line

contract.each(_ENV, "a queue", ipc.queue, function(engine, open, _, key)
  it("has jobs, or says that it has none", function()
    local q <close> = open()
    q:send(1, "x")
    local job, why, errno = q:take(nil, PATIENCE)
    if job then
      assert.not_equal("sysv", engine.name)
      return job:done()
    end
    assert.equal(ENOTSUP, errno)
    for name, value in pairs{attempts = 3, deaths = 3, backoff = {1, 2}, within = 1, keep = 1} do
      local none, text, code = ipc.queue(key(), {[name] = value})
      assert.same({nil, ENOTSUP}, {none, code})
      assert.matches("are options of jobs", text)
    end
    for _, call in ipairs{"take", "dead", "revive", "drop"} do
      local none, text, code = q[call](q)
      assert.same({nil, ENOTSUP}, {none, code})
      assert.matches("queue .+ has no jobs", text)
    end
    assert.same({nil, why, ENOTSUP}, {q:work(print)})
    assert.same({nil, why, ENOTSUP}, {q:send(1, "y", nil, {id = "one"})})
    assert.equal("x", q:receive(nil, PATIENCE))
  end)
end)

contract.jobs(_ENV, "a job", function(engine, open)
  -- sends these, each of its type
  local function send(q, ...)
    for i = 1, select("#", ...) do assert.is_true(q:send(i, (select(i, ...)))) end
  end

  local function take(q, type) return assert(q:take(type, PATIENCE)) end

  it("is a message that is taken", function()
    local q <close> = open()
    q:send(7, {to = "ada", copies = 2})
    local job <close> = take(q)
    assert.same({to = "ada", copies = 2}, job.message)
    assert.same({7, 1, 0}, {job.type, job.attempt, job.deaths})
    assert.matches("^#%d+$", job.id)
    assert.is_nil(job.reason)
    assert.equal("integer", math.type(job.token))
    assert.is_nil(job.unknown)
    assert.equal(("ipc.Job %s (%s, taken)"):format(job.id, tostring(q):match("%(([^,)]+)")), tostring(job))
    assert.is_true(job:done())
    assert.matches("done", tostring(job))
    assert.equal(7, job.type)
  end)

  it("has its message, whatever the size of the one before, and after its end", function()
    local q <close> = open{codec = "raw"}
    for _, size in ipairs{64, 64, 10, 300, 64, 3000, 64, 64, 0, 64} do
      local message = ("x"):rep(size)
      q:send(2, message, nil, size == 10 and {id = ("i"):rep(200)} or nil)
      local job <close> = take(q)
      assert.equal(message, job.message)
      assert.equal(size == 10 and ("i"):rep(200) or job.id, job.id)
      assert.is_true(job:done())
      collectgarbage()
      assert.equal(message, job.message)
      assert.error_matches(function() job:done() end, "is done already")
    end
    assert.same({nil, "timeout"}, {q:take(nil, 0)})
  end)

  it("is of no other task while it is taken, and gone when it is done", function()
    local q <close> = open()
    send(q, "a")
    local job <close> = take(q)
    assert.equal(0, #q)
    assert.is_nil(q:peek())
    assert.same({nil, "timeout"}, {q:receive(nil, 0)})
    assert.same({nil, "timeout"}, {q:take(nil, 0)})
    assert.equal(1, q:stat().taken)
    assert.is_true(job:done())
    local stat = q:stat()
    assert.same({0, 0, 0, 0, 0}, {stat.messages, stat.ready, stat.taken, stat.delayed, stat.dead})
    assert.equal(0, stat.bytes)
  end)

  it("is taken by its type, as receive does it", function()
    local q <close> = open()
    for _, type in ipairs{3, 2, 3, 1} do q:send(type, "of " .. type) end
    local got = {}
    for _, type in ipairs{3, -2, -9, 0} do
      local job <close> = take(q, type)
      got[#got + 1] = job.message
      job:done()
    end
    assert.same({"of 3", "of 1", "of 2", "of 3"}, got)
  end)

  it("comes back to its own place when it is released, and that attempt does not count", function()
    local q <close> = open()
    send(q, "a", "b", "c")
    local first, second = take(q), take(q)
    assert.same({"a", "b"}, {first.message, second.message})
    assert.is_true(second:release())
    assert.is_true(first:release())
    for _, expected in ipairs{"a", "b", "c"} do
      local job <close> = take(q)
      assert.same({expected, 1}, {job.message, job.attempt})
      job:done()
    end
  end)

  it("is tried again with its reason, in its own place", function()
    local q <close> = open()
    send(q, "a", "b")
    take(q):retry(0, "first try")
    local job <close> = take(q)
    assert.equal("a 1 attempt 2 deaths 0 first try", line(job))
    job:done()
    assert.equal("b", q:receive(nil, PATIENCE))
  end)

  it("has the reason of its last retry, and none if that gave none", function()
    local q <close> = open{attempts = 9}
    send(q, "a")
    take(q):retry(0, "first try")
    take(q):release()
    local job = take(q)
    assert.equal("first try", job.reason)
    job:retry(0)
    job = take(q)
    assert.is_nil(job.reason)
    job:retry(0, "second try")
    take(q):bury()
    for letter in q:dead() do assert.is_nil(letter.reason) end
    assert.equal(1, q:drop())
  end)

  it("is tried again later, and not earlier", function()
    local q <close> = open()
    send(q, "a", "b")
    assert.is_true(take(q, 2):retry(1000))
    local since = ipc.now()
    assert.is_true(take(q, 1):retry(0.05))
    assert.same({nil, "timeout"}, {q:take(2, 0)})
    local job <close> = take(q)
    assert.is_true(ipc.now() - since >= 0.049)
    assert.same({0, 1}, {#q, q:stat().delayed})
    assert.equal(2, job.attempt)
    job:done()
  end)

  it("is tried again after a back-off that doubles, up to the longest", function()
    local q <close> = open({backoff = {0.02, 0.05}, attempts = 9})
    send(q, "a")
    for _, delay in ipairs{0.02, 0.04, 0.05, 0.05} do
      local job <close> = take(q)
      local since = ipc.now()
      job:retry()
      take(q):release()
      assert.is_true(ipc.now() - since >= delay - 0.001)
    end
  end)

  it("is dead when it was taken as often as it may be", function()
    local q <close> = open({attempts = 2})
    send(q, "a", "b")
    assert.is_true(take(q):retry(0, "once"))
    assert.same({true, "dead"}, {take(q):retry(0, "twice")})
    assert.same({"a 1 attempt 2 deaths 0 twice"}, jobs.dead(q))
    assert.same({"b", 2}, {q:receive(nil, PATIENCE)})
    local stat = q:stat()
    assert.same({0, 1}, {stat.ready, stat.dead})
  end)

  it("may have attempts of its own", function()
    local q <close> = open({attempts = 2})
    assert.is_true(q:send(1, "a", nil, {attempts = 1}))
    assert.is_true(q:send(2, "b", nil, {attempts = 3}))
    assert.same({true, "dead"}, {take(q, 1):retry(0)})
    assert.is_true(take(q, 2):retry(0))
    assert.same({true}, {take(q, 2):retry(0)})
    assert.same({true, "dead"}, {take(q, 2):retry(0)})
  end)

  it("has a token that grows with every delivery", function()
    local q <close> = open()
    send(q, "a", "b")
    local last = take(q)
    for _ = 1, 5 do
      last:release()
      local job = take(q)
      assert.is_true(job.token > last.token)
      last = job
    end
    local other <close> = take(q)
    assert.is_true(other.token > last.token)
    last:done()
    other:done()
  end)

  it("takes one word: a second one is a mistake", function()
    local q <close> = open()
    for word, past in pairs{done = "done", release = "released", retry = "retried", bury = "buried"} do
      send(q, "a")
      local job = take(q)
      assert.is_true(job[word](job))
      for _, other in ipairs{"done", "release", "retry", "bury", "lost"} do
        assert.error_matches(function() job[other](job) end, "job #%d+ of queue .* is " .. past .. " already")
      end
      job:close()
      q:receive(nil, 0)
    end
  end)

  it("is not lost as long as it is taken; a wait for that ends with it", function()
    local q = open()
    send(q, "a", "b")
    local job, other = take(q), take(q)
    assert.same({nil, "timeout"}, {job:lost(0)})
    assert.same({nil, "timeout"}, {job:lost(0.001)})
    local work <close> = ipc.task(waits.settle)
    assert.same({2, true}, {ipc.select{{job, "lost"}, {work, "join"}}})
    assert.same({nil, "timeout"}, {ipc.select({{job, "lost"}, {other, "lost"}}, 0.001)})
    local t, left = waits.waiting(job.lost, job), waits.waiting(other.lost, other)
    assert.is_true(job:done())
    assert.same({true, true}, {t:join(PATIENCE)})
    assert.equal("waiting", left:status())
    q:close()
    assert.same({true, true}, {left:join(PATIENCE)})
    assert.is_true(other:lost())
    assert.is_true(other:lost(0))
  end)

  it("is not lost in a select in which another case closes its queue", function()
    local q = open()
    send(q, "a")
    local job <close> = take(q)
    local encode <close> = assert(ipc.queue(ipc.private, {codec = {
      encode = function() q:close() return "x" end, decode = function() end,
    }}))
    assert.same({1, true}, {ipc.select{{job, "lost"}, {encode, "send", 1, "x"}}})
  end)

  describe("becomes the next message", function()
    it("in the same step", function()
      local q <close> = open()
      send(q, "a", "b")
      assert.is_true(take(q):done(5, "after a"))
      assert.equal(2, #q)
      assert.same({"b", 2}, {q:receive(nil, PATIENCE)})
      local job <close> = take(q)
      assert.equal("after a 5 attempt 1 deaths 0 -", line(job))
      job:done()
    end)

    it("or stays taken, if there is no room for it", function()
      local q <close> = open()
      local half = ("h"):rep(engine.queue.max_message // 2 + 100)
      send(q, "small")
      local job <close> = take(q)
      assert.is_true(q:send(1, half))
      assert.same({nil, "full"}, {job:done(1, half)})
      assert.equal(1, q:stat().taken)
      assert.is_true(job:done())
      assert.equal(1, #q)
    end)

    it("or stays taken, if it is too large or cannot be encoded", function()
      local q <close> = open()
      send(q, "a")
      local job <close> = take(q)
      local none, text, errno = job:done(1, ("x"):rep(engine.queue.max_message + 1))
      assert.same({nil, EMSGSIZE}, {none, errno})
      assert.matches("over this queue's limit", text)
      assert.error_matches(function() job:done(1, print) end, "cannot encode message")
      assert.error_matches(function() job:done(0, "x") end, "type must be")
      assert.error_matches(function() job:done(nil, "x") end, "type must be an integer")
      assert.equal(1, q:stat().taken)
      assert.is_true(job:done())
    end)
  end)

  it("can be taken and ended in a full queue", function()
    local q <close> = open()
    local large = ("y"):rep(engine.queue.max_message // 8)
    local function fill() while q:send(1, large, 0) do end end
    fill()
    for _, word in ipairs{"release", "retry", "bury", "done"} do
      local job = take(q)
      assert.is_true(job[word](job))
      fill()
    end
    assert.is_true(take(q):done())
  end)

  it("is received, and so done, as any message", function()
    local q <close> = open()
    q:send(1, "a", nil, {id = "one"})
    take(q):retry(0)
    assert.same({"a", 1}, {q:receive(nil, PATIENCE)})
    assert.is_true(q:send(1, "b", nil, {id = "one"}))
  end)

  it("is counted, with the age of the oldest that is ready", function()
    local q <close> = open()
    assert.is_nil(q:stat().oldest)
    for _ = 1, 4 do q:send(1, "x", nil, {}) end
    q:send(1, "e", nil, {after = 100})
    local job <close> = take(q)
    take(q):bury()
    local stat = q:stat()
    assert.same({2, 2, 1, 1, 1}, {stat.messages, stat.ready, stat.taken, stat.delayed, stat.dead})
    assert.is_true(stat.oldest >= 0 and stat.oldest < PATIENCE)
    job:done()
  end)

  it("raises for what it cannot be told", function()
    local q <close> = open()
    send(q, "a")
    local job <close> = take(q)
    assert.error_matches(function() job:retry(-1) end, "seconds must not be negative")
    assert.error_matches(function() job:retry(0 / 0) end, "seconds must not be NaN")
    assert.error_matches(function() job:retry("soon") end, "seconds must be a number, got string")
    assert.error_matches(function() job:bury({}) end, "string expected")
    assert.error_matches(function() q:take("x") end, "type must be an integer")
    assert.error_matches(function() q:take(nil, -1) end, "timeout must be seconds")
    assert.error_matches(function() job.done() end, "ipc.Job expected")
    assert.is_true(job:done())
  end)

  it("refuses options that make no sense", function()
    local key = engine.key()
    for options, text in pairs{
      [{attempts = 0}] = "attempts must be from 1 to 65535, got 0", [{deaths = 70000}] = "deaths must be",
      [{keep = -1}] = "keep must be",
      [{backoff = 1}] = "backoff must be {first, longest}", [{backoff = {1}}] = "backoff must be",
      [{backoff = {-1, 2}}] = "backoff must be", [{within = 0}] = "within must be seconds", [{within = "x"}] = "within",
    } do
      assert.error_matches(function() ipc.queue(key, options) end, text)
    end
  end)
end)
