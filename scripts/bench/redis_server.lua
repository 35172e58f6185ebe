-- SPDX-License-Identifier: MIT
-- What a Redis server does for us:
--   redis_server.lua pair          ns of its time for a send and a receive of one message
--   redis_server.lua job N         ns of its time for a message that one of N tasks takes, and is done with
--   redis_server.lua stream        the same as php-redis does it, by XREADGROUP, XACK and XDEL
--   redis_server.lua herd N        ns of its time for a message, while N processes wait for one
--   redis_server.lua idle N        commands in 20 seconds in which N tasks wait for one mutex
local ipc = require "ipc"
local what, n, socket = arg[1], tonumber(arg[2]), os.getenv("REDIS_SOCKET")
local url = ("redis+unix://%s?name=bench"):format(socket)

local function cli(command)
  local pipe <close> = assert(io.popen(("redis-cli -s %s %s"):format(socket, command)))
  return pipe:read("a")
end

-- Of scripts, with the commands in them; the number of all commands, those in scripts too; and the time of each kind
-- of them, on an average.
local function counted(fn)
  cli "config resetstat"
  fn()
  local microseconds, commands, each = 0, 0, {}
  for name, calls, time in cli("info commandstats"):gmatch("cmdstat_([%w|]+):calls=(%d+),usec=(%d+)") do
    if name == "eval" or name == "evalsha" then microseconds = microseconds + time end
    each[name] = time / calls * 1000
    if name ~= "info" and not name:find "config" then commands = commands + calls end
  end
  return microseconds * 1000, commands, each
end

local function queue() return assert(ipc.queue(ipc.redis_key(url), {codec = "raw"})) end

local modes = {}

function modes.pair()
  local PAIRS <const> = 10000
  local q <close>, message = queue(), ("x"):rep(64)
  local function pair()
    q:send(1, message)
    q:receive(1)
  end
  pair()
  return counted(function() for _ = 1, PAIRS do pair() end end) / PAIRS
end

local JOBS <const>, message = 10000, ("x"):rep(64)

function modes.job()
  local q <close> = queue()
  for _ = 0, JOBS do q:send(1, message) end
  q:take(1):done()
  local take, _, each = counted(function()
    local left = JOBS
    ipc.scope(function(scope)
      for _ = 1, n or 1 do
        scope:task(function()
          while left > 0 do
            left = left - 1
            q:take(1):done()
          end
        end)
      end
    end)
  end)
  return take / JOBS + each.hdel -- "done" is an HDEL
end

function modes.stream()
  local stream = [[
    $r = new Redis; $r->connect("%s"); $r->xGroup("CREATE", "bench", "g", "0", true);
    for ($i = 0; $i < %d; $i++) {
      $r->xAdd("bench", "*", ["m" => "%s"]);
      $ids = array_keys($r->xReadGroup("g", "c", ["bench" => ">"], 1)["bench"]);
      $r->xAck("bench", "g", $ids); $r->xDel("bench", $ids);
    }]]
  local _, _, theirs = counted(function()
    assert(ipc.process{"php", "-r", stream:format(socket, JOBS, message)}):wait()
  end)
  return theirs.xreadgroup + theirs.xack + theirs.xdel
end

function modes.herd()
  local MESSAGES <const> = 1000
  local q <close> = queue()
  local back <close> = assert(ipc.queue(ipc.private, {codec = "raw"}))
  local children = {}
  for i = 1, n do
    children[i] = assert(ipc.process(function(channel)
      local mine <close> = queue()
      ipc.task(function() for text in mine:messages(1) do back:send(1, text) end end):detach()
      ipc.sleep(0)
      for _ = 1, 3 do mine:stat() end -- it asks, and asks to hear, and hears
      channel:send("waits")
      channel:receive()
      os.exit(true, true)
    end))
  end
  for _, child in ipairs(children) do child.channel:receive() end
  local time = counted(function()
    for _ = 1, MESSAGES do
      q:send(1, "x")
      back:receive()
    end
  end)
  for _, child in ipairs(children) do child:close() end
  return time / MESSAGES
end

function modes.idle()
  local m <close> = assert(ipc.mutex(ipc.redis_key(url)))
  m:acquire()
  for _ = 1, n do ipc.task(m.acquire, m):detach() end
  ipc.sleep(2)
  m:holder() -- all stand in line
  return (select(2, counted(function() ipc.sleep(20) end)))
end

print(modes[what]())
os.exit(true)
