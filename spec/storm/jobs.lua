-- SPDX-License-Identifier: MIT
-- Producers and workers of one queue of jobs, killed and stopped at any instruction: no job is lost, none is held by
-- two processes at once, none comes again when `done` has said that it is done. What a process does with a job it
-- writes into shared memory, where it survives the process.
--   open()    opens the queue, raw, with limits that nothing here reaches
--   leased    a holder may lose a job while it lives, as it was stopped for too long

local ipc = require "ipc"
local weather = require "spec.storm.weather"

local jobs = {}

local PRODUCERS <const>, WORKERS <const> = 4, 8
local MOST_READY <const> = 2000 -- else the producers would be far ahead
local KINDS <const> = 3

-- Of each process: how often it got on. Of each producer: the last job that it was about to send. Of each job the words
-- below.
local PROGRESS <const>, SENDING <const>, BOOKS <const> = 0, 16, 32
local HOLDER <const>, TOKEN <const>, RUNS <const>, ACCEPTED <const>, BURIED <const>, WORDS <const> = 0, 1, 2, 3, 4, 5
local DONE <const> = -1 -- of HOLDER

local function check(condition, text, ...)
  if not condition then error(text:format(...), 0) end
end

local function word(n, which)
  return BOOKS + n * WORDS + which
end

local function is_alive(pid)
  local file = io.open(("/proc/%d/stat"):format(pid))
  local text = file and file:read("a")
  if file then file:close() end
  return text and text:match("^.*%) (%a)") ~= "Z" or false
end

local function body(n)
  return n .. ":" .. string.char(97 + n % 26):rep(n * 7919 % 200)
end

local function send_one(q, n)
  local options
  if n % 5 == 0 then options = {after = math.random() * 0.02} end
  if n % 7 == 0 then options = {id = "job " .. n} end
  while true do
    local ok, why = q:send(1 + n % KINDS, body(n), weather.PATIENCE, options)
    if ok or why == "exists" then return end
    check(why:find("may or may not", 1, true) and options and options.id, "job %d was not sent: %s", n, why)
  end
end

local function produce(_, books, open, producer)
  local q <close> = assert(open())
  local k = books[SENDING + producer]
  while true do
    if books[PROGRESS + producer] % 64 == 0 then
      while #q > MOST_READY do ipc.sleep(0.001) end
    end
    k = k + 1
    local n = (k - 1) * PRODUCERS + producer
    if n >= jobs.most then
      while true do
        books:add(PROGRESS + producer, 1)
        ipc.sleep(0.01)
      end
    end
    books[SENDING + producer] = k
    send_one(q, n)
    books[word(n, ACCEPTED)] = 1
    books:add(PROGRESS + producer, 1)
  end
end

-- The job is this process's alone.
local function hold(books, n, token, leased)
  local was, me = books[word(n, HOLDER)], ipc.pid()
  check(was ~= DONE, "job %d came again after it was done", n)
  check(was == 0 or leased or not is_alive(was), "job %d is held by %d and by %d", n, was, me)
  check(books:compare_and_swap(word(n, HOLDER), was, me), "job %d came to two processes", n)
  check(token > books[word(n, TOKEN)], "the token of job %d is %d after %d", n, token, books[word(n, TOKEN)])
  books[word(n, TOKEN)] = token
end

local ends = {}

function ends.retry(job)
  return job:retry(math.random(2) == 1 and 0 or math.random() * 0.02, "again")
end

function ends.release(job)
  return job:release()
end

-- One of many jobs is given back, or buried; each is done in the end.
local function finish(job, books, n)
  local dice = math.random(100)
  if dice <= 5 and job.attempt < 1000 then
    books[word(n, HOLDER)] = 0
    return ends[dice <= 3 and "retry" or "release"](job)
  elseif dice == 6 then
    books[word(n, BURIED)] = 1
    books[word(n, HOLDER)] = 0
    return job:bury("for the test")
  end
  books:add(word(n, RUNS), 1)
  local ok, why = job:done()
  if ok then books[word(n, HOLDER)] = DONE end
  return ok, why
end

local function work_one(books, job, leased)
  local n = math.tointeger(tonumber(job.message:match("^(%d+):")))
  check(n and job.message == body(n), "torn: %s", job.message:sub(1, 40))
  hold(books, n, job.token, leased)
  local ok, why = finish(job, books, n)
  check(ok or leased and why == "expired", "job %d: %s", n, why)
end

-- When all is sent there may be none. But a job that is ready does not wait beside a process that sleeps; what was
-- called for it may be stopped for a moment.
local function next_job(q, books, slot)
  for _ = 1, weather.PATIENCE do
    local job, why = q:take(slot % 2 == 0 and -KINDS or 0, 1)
    if job then return job end
    check(why == "timeout", "no job: %s", why)
    if #q == 0 then
      books:add(PROGRESS + slot, 1)
      return
    end
  end
  check(false, "a process sleeps beside %d jobs", #q)
end

local function work(_, books, open, slot, leased)
  local q <close> = assert(open())
  while true do
    local job <close> = next_job(q, books, slot)
    if job then
      work_one(books, job, leased)
      books:add(PROGRESS + slot, 1)
    end
  end
end

-- What is left is done here, the dead letters too.
local function drain(q, books, leased)
  local deadline = ipc.now() + weather.PATIENCE
  repeat
    q:revive()
    local job <close> = q:take(0, 0.1)
    if job then work_one(books, job, leased) end
    local stat = q:stat()
    check(ipc.now() < deadline, "%d ready, %d delayed, %d taken, %d dead", stat.ready, stat.delayed, stat.taken,
      stat.dead)
  until stat.ready + stat.delayed + stat.taken + stat.dead == 0
end

-- What the books say in the end: jobs that were accepted, and runs beyond one for each.
local function count(books)
  local accepted, again = 0, 0
  for producer = 0, PRODUCERS - 1 do
    for k = 1, math.min(books[SENDING + producer], jobs.most // PRODUCERS) do
      local n = (k - 1) * PRODUCERS + producer
      local runs = books[word(n, RUNS)]
      if books[word(n, ACCEPTED)] == 1 then
        accepted = accepted + 1
        check(runs > 0, "job %d is lost", n)
      end
      again = again + math.max(runs - 1, 0)
    end
  end
  return accepted, again
end

-- Until the limit (weather.lua) with at most so many jobs. Returns {kills =, stops =, steps =}; then the queue is
-- empty.
function jobs.storm(limit, open, most, leased)
  jobs.most = most
  local books = assert(ipc.shared_memory(ipc.private, BOOKS + (most + PRODUCERS) * WORDS))
  local q <close> = assert(open())

  local function start(slot)
    if slot <= PRODUCERS then return ipc.process(produce, books, open, slot - 1) end
    return ipc.process(work, books, open, slot, leased)
  end

  local function attend(_, child)
    child:wait()
  end

  local seen = weather.storm(limit, PRODUCERS + WORKERS, start, attend, function(slot)
    return books[PROGRESS + (slot <= PRODUCERS and slot - 1 or slot)]
  end)
  drain(q, books, leased)
  local accepted, again = count(books)
  local deaths = 0
  for slot = PRODUCERS + 1, PRODUCERS + WORKERS do deaths = deaths + seen.deaths[slot] end
  check(again <= deaths + (leased and seen.stops or 0), "%d jobs done again, %d workers died", again, deaths)
  check(q:stat().bytes == 0, "bytes of no message")
  seen.steps = accepted
  return seen
end

return jobs
