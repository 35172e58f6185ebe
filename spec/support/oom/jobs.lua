-- SPDX-License-Identifier: MIT
-- Jobs: taken, given back, tried again, buried and revived; in a select, by tasks that wait, and by work. Whatever
-- fails, no job stays taken that has no handle.
local ipc = require "ipc"

local q <close> = ipc.queue(ipc.private, {attempts = 3, backoff = {0, 0}, within = 100})

-- A job whose handle did not reach its task has gone back.
local function none_is_taken()
  pcall(collectgarbage)
  pcall(collectgarbage)
  local ok, stat = pcall(q.stat, q)
  if ok and stat and stat.taken > 0 then os.exit(3) end
end

-- What failed for want of memory is tried once more, and fails then as an error does.
local function try(fn, ...)
  local results = table.pack(pcall(fn, ...))
  none_is_taken()
  if not results[1] then results = table.pack(true, fn(...)) end
  return table.unpack(results, 2, results.n)
end

local function one(message)
  return try(function()
    assert(q:send(1, message))
    local job <close> = assert(q:take(nil, 5))
    assert(job.message == message or job.message.text)
    job:done()
  end)
end

one("first")
one({text = ("x"):rep(3000)})
q:drop()

assert(select(2, assert(q:send(2, "named", nil, {id = "a name", after = 0.001, attempts = 2}))) == "a name")
try(function()
  local job <close> = assert(q:take(2, 5))
  job:retry(0, "once more")
end)
pcall(function()
  local job <close> = assert(q:take(2, 5))
  error("failed: " .. job.reason)
end)
none_is_taken()
for letter in q:dead() do assert(letter.id == "a name") end
q:revive()
while q:receive(nil, 0) do end

local waiting = ipc.task(try, function()
  local which, job <close> = ipc.select({{q, "take", 3}, other = {q, "receive", 4}}, 5)
  assert(which == 1 and job.type == 3)
  return job:done(5, "the next")
end)
ipc.yield()
assert(q:send(3, "for the select"))
assert(waiting:join())
q:receive(5, 0)
none_is_taken()

local served = 0
local work = ipc.task(q.work, q, function(message)
  served = served + 1
  if message == "bad" then error("it is bad") end
end, {at_once = 2, type = 6})
assert(q:send(6, "good"))
assert(q:send(6, "bad"))
while q:stat().ready + q:stat().delayed > 0 and work:status() ~= "failed" do ipc.sleep(0.0005) end
work:cancel()
work:join()
none_is_taken()
