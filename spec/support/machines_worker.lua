-- SPDX-License-Identifier: MIT
-- A process on one of the machines of machines.lua: ROLE ADDRESS LOG NAME. Ends when it is told to by TERM; one that
-- receives, or takes jobs, ends when there are no more.

local ipc = require "ipc"

local role, address, name = arg[1], arg[2], arg[4]
local file = assert(io.open(arg[3], "a"))
file:setvbuf("no")

local function say(...) file:write(string.format(...) .. "\n") end

local ended = ipc.signal_trap("TERM")

-- A server that cannot be reached right now.
local function opened(make, noun)
  local object, why
  repeat
    object, why = make(ipc.redis_key(("%s/storm.%s?lease=1"):format(address, noun)))
    if not object then ipc.select({ended}, 0.1) end
  until object or ended:trapped()
  if not object then say("unopened %s %s", name, why) os.exit(0) end
  return object
end

local roles = {}

function roles.lock()
  local m = opened(ipc.mutex, "mutex")
  while not ended:trapped() do
    local ok, how = m:acquire(1)
    if ok then
      local token = m:token()
      say("got %d %s", token, how or "well")
      ipc.sleep(math.random() * 0.01)
      say("releasing %d", token)
      local released, why = m:release()
      say("released %d %s", token, released and "well" or why)
    end
  end
end

function roles.send()
  local q = opened(ipc.queue, "queue")
  local n = 0
  while not ended:trapped() do
    n = n + 1
    local ok, why = q:send(math.random(3), ("%s:%d"):format(name, n), 5)
    say("%s %s:%d", ok and "accepted" or why:match("may or may not") and "perhaps" or "refused", name, n)
    ipc.sleep(math.random() * 0.005)
  end
end

function roles.receive()
  local q = opened(ipc.queue, "queue")
  repeat
    local message = q:receive(({0, -3})[math.random(2)], 0.5)
    if message then say("received %s", message) end
  until not message and ended:trapped() and #q == 0
end

-- With an id it can be sent again; but if that comes so late that the first one is done already, it is done twice.
function roles.give()
  local q = opened(ipc.queue, "jobs")
  local n = 0
  while not ended:trapped() do
    n = n + 1
    local id, tries = ("%s:%d"):format(name, n), 0
    repeat
      local ok, why = q:send(1, id, 5, {id = id, after = math.random(2) == 1 and 0.01 or nil})
      tries = tries + 1
    until ok or why == "exists" or ended:trapped() and tries > 1
    say("%s %s", tries == 1 and "given" or "perhaps_given", id)
    ipc.sleep(math.random() * 0.01)
  end
end

function roles.take()
  local q = opened(ipc.queue, "jobs")
  repeat
    local job = q:take(0, 0.5)
    if job then
      ipc.sleep(math.random() * 0.02)
      say("tries %s", job.message)
      local ok, word = job:done()
      say("%s %s", ok and "did" or word == "expired" and "lost" or "perhaps_did", job.message)
    end
    local stat = q:stat()
    local left = not stat or stat.ready + stat.delayed + stat.taken > 0
  until not job and not left and ended:trapped()
end

roles[role]()
