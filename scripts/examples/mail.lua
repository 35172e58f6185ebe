-- SPDX-License-Identifier: MIT
-- Mail is tried until it is delivered. What cannot be, and what kills its workers, lies among the dead letters until
-- somebody looks at it.
--   ipclua mail.lua                                      a show: all of this in one program
--   ipclua mail.lua [--key KEY] work                     delivers, until Ctrl-C; start as many as you like
--   ipclua mail.lua [--key KEY] send TO TEXT [SECONDS]   in so many seconds; the same mail only once
--   ipclua mail.lua [--key KEY] dead                     shows the dead letters
--   ipclua mail.lua [--key KEY] revive [ID]              tries them again
--   ipclua mail.lua [--key KEY] drop [ID]                throws them away
-- With the key of a disk, "disk:/var/lib/shop?name=mails", mail survives a restart of the machine. See doc/jobs.md.

local ipc = require "ipc"

local USAGE <const> = [[
usage: ipclua mail.lua                                      a show
       ipclua mail.lua [--key KEY] work                     delivers mail, until Ctrl-C
       ipclua mail.lua [--key KEY] send TO TEXT [SECONDS]   gives a mail to be delivered
       ipclua mail.lua [--key KEY] dead                     shows the dead letters
       ipclua mail.lua [--key KEY] revive [ID]              tries one of them again, or all
       ipclua mail.lua [--key KEY] drop [ID]                throws one of them away, or all
KEY is "shm:mails" by default. TO and TEXT have 254 bytes at most.
]]

local MAIL <const>, NEWS <const> = 1, 2

local function usage(status)
  (status == 0 and io.stdout or io.stderr):write(USAGE)
  os.exit(status)
end

-- How many words the verbs take at least and at most, themselves among them.
local VERBS <const> = { work = { 1, 1 }, send = { 3, 4 }, dead = { 1, 1 }, revive = { 1, 2 }, drop = { 1, 2 } }

-- The command line: key, and verb with its arguments; no verb is the show, which leaves nothing behind.
local function parse(words)
  if words[1] == "--help" then usage(0) end
  if #words == 0 then return ipc.private, {} end
  local key = "shm:mails"
  if words[1] == "--key" then
    key = words[2] or usage(2)
    words = table.move(words, 3, #words, 1, {})
  end
  local counts = VERBS[words[1] or ""]
  if not counts or #words < counts[1] or #words > counts[2] then usage(2) end
  local seconds = tonumber(words[4] or 0)
  if not seconds or not (seconds >= 0 and seconds < 1e9) then usage(2) end
  if words[3] and (words[2]:find "^#" or #words[2] + #words[3] > 254) then usage(2) end -- as an id it has to be
  return key, words
end

local function fail(problem)
  io.stderr:write("mail.lua: ", tostring(problem), "\n")
  os.exit(1, true)
end

local key, words = parse { ... }
local verb = words[1]
local opened, mails, problem = pcall(ipc.queue, key, { attempts = 3, backoff = { 0.01, 10 } })
if not opened or not mails then fail(problem or mails) end
local repaired = ipc.shared_memory(ipc.private, 1)

-- This is the post. It returns true, or nil and why not.
local function deliver(mail, attempt)
  local host = mail.to:match "@(.*)"
  if mail.text == "poison" then ipc.signal("KILL"):dispatch(ipc.pid()) end
  if host == "slow.example" and attempt < 3 then return nil, "try again later" end
  if host == "gone.example" and repaired[0] == 0 then return nil, "no such host" end
  return true
end

-- True; or false, when the job is not ours any more: another one has it, or the queue was removed. Else it fails.
local function said(ok, why, errno)
  if errno or why == "full" then error(why, 0) end
  return ok
end

-- Takes a mail and tries it; `report` gets what is new. Nothing, and why, when there is no queue any more.
local function work_once(report)
  local job <close>, why, errno = mails:take(MAIL)
  if errno then error(why, 0) end
  if not job then return nil, why end
  local news = { to = job.message.to, attempt = job.attempt }
  local ok
  ok, news.problem = deliver(job.message, job.attempt)
  if ok then
    report(job, news)
  else
    ok, news.dead, errno = job:retry(nil, news.problem)
    if said(ok, news.dead, errno) then report(job, news) end
  end
  return true
end

local function send(to, text, seconds)
  return mails:send(MAIL, { to = to, text = text }, nil, { id = to .. " " .. text, after = seconds })
end

local function letters()
  local list = {}
  mails:stat()     -- so that a death counts that nobody has seen yet
  for letter in mails:dead() do list[#list + 1] = letter end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end

local function print_letters()
  for _, letter in ipairs(letters()) do
    print(letter.id, letter.reason, letter.attempt .. " attempts", letter.deaths .. " deaths")
  end
end

-- The show --------------------------------------------------------------------------------------------

-- A mail that is delivered becomes the news of that, in one step: whatever dies, it comes once.
local function tell(job, news)
  if not news.problem then return said(job:done(NEWS, news)) end
  if news.dead then mails:send(NEWS, news) end
end

-- A worker that dies is followed by another one.
local function keep_worker()
  repeat
    local worker <close> = ipc.process(function() while work_once(tell) do end end)
    local _, how = worker:wait()
  until how ~= "signal" or not mails:send(NEWS, { died = true })
end

-- So many pieces of news: what was delivered, and how many workers died.
local function listen(count)
  local delivered, died = {}, 0
  for _ = 1, count do
    local news = assert(mails:receive(NEWS))
    if news.died then died = died + 1 end
    if news.to and not news.dead then delivered[#delivered + 1] = ("%s, attempt %d"):format(news.to, news.attempt) end
  end
  table.sort(delivered)
  return delivered, died
end

local function show()
  send("ada@near.example", "hello")
  send("bob@slow.example", "hello")
  send("cleo@gone.example", "hello")
  send("dan@near.example", "poison")
  send("eve@near.example", "happy birthday", 0.1)
  print("the same again:", send("eve@near.example", "happy birthday", 0.1))

  local keeper = ipc.task(keep_worker)
  local delivered, died = listen(4 + 3)     -- of four mails, and of the three workers that the fifth one kills
  print("delivered:", table.concat(delivered, "; "))
  print("workers died:", died)
  print_letters()

  -- another program looks after them
  repaired[0] = 1
  local other <close> = ipc.process(function()
    for _, letter in ipairs(letters()) do
      if letter.deaths > 0 then mails:drop(letter.id) else mails:revive(letter.id) end
    end
  end)
  print("delivered:", table.concat(listen(1), "; "))
  other:wait()
  print("dead letters:", mails:stat().dead)
  mails:remove()
  keeper:join()
end

-- The commands ------------------------------------------------------------------------------------------

local commands = {}

local function print_news(job, news)
  if news.problem or said(job:done()) then
    print(news.to, (news.problem or "delivered") .. (news.dead and ", given up" or ""))
  end
end

function commands.work()
  local why
  repeat why = select(2, work_once(print_news)) until why
  fail("the queue was " .. why)
end

function commands.send()
  local ok, id = send(words[2], words[3], tonumber(words[4]))
  if not ok then fail(id == "exists" and "exists: this mail is on its way" or id) end
  print(id)
end

commands.dead = print_letters

local function change_letters()
  local count = assert(mails[verb](mails, words[2]))
  print(count)
  if words[2] and count == 0 then fail("no dead letter has the id " .. words[2]) end
end

commands.revive, commands.drop = change_letters, change_letters

-- Until it has ended, or the program is to stop: then what it works on is released.
local function run(command)
  local stop <close> = ipc.signal_trap("INT", "TERM")
  local task <close> = ipc.task(command)
  local case, ok, why = ipc.select { { task, "join" }, { stop, "wait" } }
  if case == 1 and not ok then fail(why) end
  if case == 2 then
    task:close()
    os.exit(128 + ok.number, true)
  end
end

if verb then run(commands[verb]) else show() end
