-- SPDX-License-Identifier: MIT
-- What ipctl asks a Redis server beside the module, by redis-cli, which comes with the server: which objects there are,
-- and how it keeps its data.

local ipc = require "ipc"
local keys = require "ipctl.keys"
local out = require "ipctl.out"
local program = require "ipctl.program"

local server = {}

-- How redis-cli is told of the server of a URL; nil: the URL has several, or an option that it does not know.
local function command_of(url)
  local socket = url:match("^redis%+unix://([^?]+)")
  if socket then return {"redis-cli", "-s", socket} end
  local kind, rest = url:match("^(rediss?)://([^/]+)/")
  if not kind or rest:find(",", 1, true) then return nil end
  local user, host = rest:match("^(.*)@([^@]*)$")
  host = host or rest
  local name, port = host:match("^(.-):(%d+)$")
  local command = {"redis-cli", "-h", name or host, "-p", port or "6379"}
  if kind == "rediss" then command[#command + 1] = "--tls" end
  local who, word = (user or ""):match("^([^:]*):(.*)$")
  if who and who ~= "" then table.move({"--user", who}, 1, 2, #command + 1, command) end
  -- never an argument: those are seen by all users of the machine
  return command, word
end

-- Objects -------------------------------------------------------------------------------------------------

local nouns <const> = {
  queue = "queue", mutex = "mutex", semaphore = "semaphore", memory = "shared_memory", data = "shared_data",
}

-- A URL without its name: the number of the database, and a function that makes the URL of a name.
local function parts_of(url)
  local start, options = url:match("^([^?]*)%??(.*)$")
  local rest = options:gsub("&?%f[%w]name=[^&]*", ""):gsub("^&", "")
  if start:find("^redis%+unix:") then
    return options:match("%f[%w]db=(%d+)") or "0", function(name)
      return ("%s?%sname=%s"):format(start, rest ~= "" and rest .. "&" or "", name)
    end
  end
  local origin, path = start:match("^(rediss?://[^/]+)/?(.*)$")
  if not origin then return nil end
  local db = path:match("^(%d+)") or "0"
  return db, function(name)
    return ("%s/%s/%s%s"):format(origin, db, name, options ~= "" and "?" .. options or "")
  end
end

local function add_object(list, seen, noun, name, url)
  local ok, key = pcall(ipc.key, url(name))
  if not ok or not noun or seen[noun .. name] then return end
  seen[noun .. name] = true
  list[#list + 1] = {
    engine = "redis", noun = noun, key = tostring(key):match("%((.*)%)$"), url = url(name), size = 0, owner = 0,
    mode = 0, holds = true, foreign = false,
  }
end

-- Objects of a server, by the names of its keys.
function server.list(place)
  local db, url = parts_of(place)
  local command, password = command_of(place:find("^redis%+unix:") and place or place .. "/")
  if not db or not command then out.fail("%s is not one server that redis-cli could ask", place) end
  local prefix = place:match("[?&]prefix=([%w_.-]+)") or "ipclua"
  table.move({"-n", db, "--scan", "--pattern", prefix .. ":{*}:*"}, 1, 5, #command + 1, command)
  local text, well = program.output(command, {REDISCLI_AUTH = password, PATH = os.getenv("PATH")})
  if not text then out.fail("%s: redis-cli is not installed (Debian: redis-tools)", place) end
  if not well or text:find("^%u+ ") then out.fail("%s: %s", place:gsub("//[^/@]*@", "//"), text:match("^[^\n]*")) end
  local list, seen = {}, {}
  for start, name, noun in text:gmatch("([^\n]-):{([^\n]-)}:(%l+)") do
    if start == prefix then add_object(list, seen, nouns[noun], name, url) end
  end
  return list
end

-- Settings -------------------------------------------------------------------------------------------------

-- Fields of INFO.
local function ask(url)
  local command, password = command_of(url)
  if not command then return nil, "it is not one server that redis-cli could ask" end
  command[#command + 1] = "INFO"
  local text = program.output(command, {REDISCLI_AUTH = password, PATH = os.getenv("PATH")})
  if not text then return nil, "redis-cli is not installed (Debian: redis-tools)" end
  local fields = {}
  for name, value in text:gmatch("([%w_]+):([^\r\n]*)") do fields[name] = value end
  if not fields.redis_version then return nil, "redis-cli got no INFO: " .. text:sub(1, 60) end
  return fields
end

local function check_memory(add, about, fields)
  local policy, most, used = fields.maxmemory_policy, tonumber(fields.maxmemory) or 0, tonumber(fields.used_memory) or 0
  if policy and policy ~= "noeviction" then
    add(most > 0 and "error" or "warning", about, "maxmemory-policy is " .. policy .. ": locks and messages may vanish",
      "CONFIG SET maxmemory-policy noeviction")
  else
    add("ok", about, "maxmemory-policy is noeviction")
  end
  if most > 0 then
    local level = used / most >= 0.97 and "error" or used / most >= 0.8 and "warning" or "ok"
    add(level, about, ("%s of %s used"):format(out.bytes(used), out.bytes(most)),
      level ~= "ok" and "raise maxmemory, or remove objects" or nil)
  end
end

local function check_persistence(add, about, fields)
  if fields.loading == "1" then add("warning", about, "it loads its data", "wait") end
  if fields.aof_enabled == "1" then
    local well = fields.aof_last_write_status == "ok"
    add(well and "ok" or "error", about, well and "it writes an append-only file" or "it cannot write its file",
      not well and "see its log: the disk may be full" or nil)
  else
    add("warning", about, "it writes no append-only file: a crash loses what came since the last snapshot, if any",
      "appendonly yes, unless all may be lost")
  end
  if fields.rdb_last_bgsave_status and fields.rdb_last_bgsave_status ~= "ok" then
    add("error", about, "its last snapshot failed: it refuses changes", "see its log: the disk may be full")
  end
end

-- Opens an object that is not there: that takes the rights that any takes.
local function check_rights(add, url, about)
  local ok, object, problem, errno = pcall(ipc.mutex, url, {create = false})
  if not ok then out.fail("%s is no key: %s", url, (tostring(object):gsub("^.-%((.*)%)$", "%1"))) end
  if object then object:close() end
  if object or keys.is_none(problem, errno) then
    add("ok", about, "it answers, and this user may use what is behind the key")
    return true
  end
  add("error", about, problem, "see \"Rights\" in doc/engines.md, and whether the server runs")
end

function server.check(add, url)
  if not url:find("^redis") then out.fail("%s is no URL of a server", url) end
  local about = url:gsub("//[^/@]*@", "//")
  if not check_rights(add, url, about) then return end
  local fields, why = ask(url)
  if not fields then
    add("warning", about, "eviction and persistence were not looked at: " .. why)
    return
  end
  if fields.role == "slave" then
    add("error", about, "it is a replica, which takes no changes", "use the master, or a URL of the sentinels")
  end
  check_memory(add, about, fields)
  check_persistence(add, about, fields)
end

return server
