-- SPDX-License-Identifier: MIT
-- ipctl take, dead, revive, drop: the jobs of queues.

local args = require "ipctl.args"
local json = require "ipctl.json"
local out = require "ipctl.out"
local program = require "ipctl.program"
local queue = require "ipctl.queue"

local jobs = {}

-- The fields of a job, or a dead letter, beside its message.
local function record(job)
  return {
    id = job.id, type = job.type, attempt = job.attempt, deaths = job.deaths, sent = job.sent, reason = job.reason,
  }
end

local function word(ok, what)
  if not ok then out.note("the job's word had no effect: %s", tostring(what)) end
  return ok
end

-- Shown, and then done: a job whose reader has gone is not lost.
local function show(parsed, job)
  if parsed.json then
    out.line(json.encode(queue.field(record(job), job.message)))
  else
    queue.show(parsed, job.message, job.type)
  end
  return word(job:done()) and 0 or 2
end

-- The program gets the message; how it ends is the job's word. The status is the program's.
local function work(parsed, job)
  local how, code = program.run(parsed.command, job.message)
  if how == "exit" and code == 0 then return word(job:done()) and 0 or 2 end
  if how == "stopped" then
    word(job:release())
    return code
  end
  local reason = ("%s: %s %d"):format(parsed.command[1], how == "exit" and "exit status" or "signal", code)
  word(job:retry(args.number(parsed, "retry_after"), reason:sub(1, 255)))
  return how == "exit" and code or 128 + code
end

function jobs.take(parsed)
  if parsed.command and not parsed.command[1] then out.fail("take: no program after --") end
  local type, timeout = queue.type(parsed), args.number(parsed, "timeout")
  local limits = {attempts = args.integer(parsed, "attempts", 1), deaths = args.integer(parsed, "deaths", 1)}
  args.number(parsed, "retry_after")
  local q <close> = queue.open(parsed, limits)
  local count, got, status = parsed.follow and math.huge or args.integer(parsed, "count", 1) or 1, 0, 0
  local take <const> = parsed.command and program.take or q.take
  while got < count do
    local job <close>, what, errno = take(q, type, timeout)
    if what == "stopped" then return program.stopped() end
    if not job then
      if got > 0 and not errno and what == "timeout" then return status end
      return queue.outcome(parsed, what, errno)
    end
    got = got + 1
    status = math.max(status, (parsed.command and work or show)(parsed, job))
    if program.stopped() then return status end
  end
  return status
end

local function letter_row(letter)
  local text = letter.raw or letter.message
  local shown = queue.text(text)
  if #shown > 60 then shown = shown:sub(1, utf8.offset(shown, 0, 58) - 1) .. "..." end
  return {letter.id, letter.type, letter.attempt, letter.deaths, letter.reason or "", shown}
end

function jobs.dead(parsed)
  local q <close> = queue.open(parsed)
  local rows, wanted = {}, queue.type(parsed)
  for letter in q:dead() do
    if not wanted or letter.type == wanted then
      rows[#rows + 1] = parsed.json and queue.field(record(letter), letter.raw or letter.message) or letter_row(letter)
    end
  end
  if parsed.json then
    out.json(rows)
  elseif #rows > 0 then
    out.table({"id", ">type", ">attempt", ">deaths", "reason", "message"}, rows)
  end
  return #rows > 0 and 0 or 1
end

-- By ids, or all.
local function each_letter(verb, parsed)
  if #parsed == 1 and not parsed.all then out.fail("%s: which? ids, or --all", verb) end
  local q <close> = queue.open(parsed)
  local missing = 0
  local function one(id)
    local n, problem, errno = q[verb](q, id)
    if not n and errno then out.fail("%s", problem) end
    if (n or 0) == 0 then
      missing = missing + 1
      if id then out.note("queue %s has no dead letter %s", parsed[1], id) end
    end
  end
  if parsed.all then one() end
  for i = 2, #parsed do one(parsed[i]) end
  return missing == 0 and 0 or 1
end

function jobs.revive(parsed) return each_letter("revive", parsed) end

function jobs.drop(parsed) return each_letter("drop", parsed) end

return jobs
