-- SPDX-License-Identifier: MIT
-- The engines that the contract specs run on (spec/support/contract.lua). Each makes fresh keys and, after a spec,
-- removes what was behind them.
-- missing: why this machine does not have the engine.
-- private: the key makes another object each time: it has one handle, which forked children inherit.
-- remote: objects are on another machine: there are no modes, a handle shows only what it knows, and what was removed
-- is gone for those, too, that have it open.
-- offers: the constructors of the nouns that it has, if these are not all.
-- modes: false: what is there is its owner's alone.
-- data: what shared data has used for a name and a value of a byte each, its largest value and its size by default.
-- queue: the largest message of a queue that is opened without options, what sets that limit, and its capacity.

local ipc = require "ipc"

local function setting(name)
  local file = io.open("/proc/sys/kernel/" .. name)
  local value = file and file:read("n")
  if file then file:close() end
  return value or 0
end

local sysv = {name = "sysv"}
do
  local msgmax, msgmnb = setting("msgmax"), setting("msgmnb")
  sysv.data = {used = 4096, max_value = (1 << 20) - 32, size = 4 << 20}
  sysv.queue = {
    capacity = msgmnb, max_message = math.min(msgmax, msgmnb),
    limit = msgmnb < msgmax and "the queue's capacity" or "kernel.msgmax",
  }
end
local keys = {}

if not os.execute("ipcs >/dev/null 2>&1") then sysv.missing = "this machine has no System V IPC" end

-- Of a new file; or the next project of another key's.
function sysv.key(other)
  local key = other and other:clone() or assert(ipc.file_key(os.tmpname()))
  keys[#keys + 1] = key
  return key
end

-- Removes whatever has the keys; that there is nothing is no fault. The files go last: from then on another program may
-- get their inodes, and so the keys.
function sysv.cleanup()
  local commands = {}
  for _, key in ipairs(keys) do
    local id = ("0x%x"):format(key.id & 0xffffffff)
    local data = ("/dev/shm/ipclua.data.sysv:0x%08x"):format(key.id & 0xffffffff)
    commands[#commands + 1] = ("ipcrm -S %s; ipcrm -Q %s; ipcrm -M %s; rm -rf %s"):format(id, id, id, data)
  end
  if commands[1] then os.execute("{ " .. table.concat(commands, "; ") .. "; } 2>/dev/null") end
  for _, key in ipairs(keys) do os.remove(key.path) end
  keys = {}
end

local shm = {name = "shm"}
do
  local file = assert(io.open("/proc/self/stat")) -- names of this run's own
  local name = ("spec.%d.%%d"):format(file:read("n"))
  file:close()
  local made = 0

  shm.data = sysv.data
  shm.queue = {capacity = 1 << 20, max_message = 1 << 20, limit = "the queue's capacity"}

  function shm.key()
    made = made + 1
    return assert(ipc.shm_key(name:format(made)))
  end

  function shm.cleanup()
    os.execute(("rm -rf /dev/shm/ipclua.*.%s"):format(name:gsub("%%d", "*")))
  end
end

local memory = {name = "private memory", private = true, queue = shm.queue, data = shm.data}
function memory.key() return ipc.private end
function memory.cleanup() end

-- A server of this process's own, at a socket; it ends when no process has the pipe to it any more.
-- lease: how long, in seconds, a holder that died keeps what it had; the other engines know it at once.
local redis = {
  name = "redis", remote = true, lease = os.getenv("IPC_SANITIZE") and 3 or 2,
  data = {used = 2, max_value = 1 << 20, size = 4 << 20},
  queue = {capacity = 1 << 20, max_message = 1 << 20, limit = "the queue's capacity"},
}
do
  local server, socket, made = nil, nil, 0

  if not ipc.redis_key then
    redis.missing = "this ipc has no redis keys"
  elseif not os.execute("command -v redis-server >/dev/null") then
    redis.missing = "this machine has no redis-server"
  end

  -- The path of the server's socket. Starts it if need be.
  function redis.socket()
    if server then return socket end
    socket = os.tmpname()
    os.remove(socket)
    server = assert(io.popen(([[
      redis-server --port 0 --unixsocket %s --save "" --daemonize no --logfile /dev/null >/dev/null 2>&1 &
      cat >/dev/null; kill $!; rm -f %s]]):format(socket, socket), "w"))
    local ready = "timeout 20 sh -c 'until redis-cli -s %s ping >/dev/null 2>&1; do sleep 0.02; done'"
    assert(os.execute(ready:format(socket)))
    return socket
  end

  function redis.key()
    made = made + 1
    return assert(ipc.redis_key(("redis+unix://%s?name=spec.%d&lease=%d"):format(redis.socket(), made, redis.lease)))
  end

  function redis.cleanup()
    if server then os.execute(("redis-cli -s %s flushall >/dev/null"):format(socket)) end
  end
end

-- In folders of their own for each spec: for what is about the disk on whatever file system $TMPDIR is, and for what
-- other engines promise as well in memory, which is quicker.
local disk = {
  name = "disk", offers = {[ipc.queue] = true, [ipc.shared_data] = true}, modes = false,
  queue = {capacity = 8 << 20, max_message = 8 << 20, limit = "the queue's capacity"},
  data = {used = 4096, max_value = (1 << 28) - 32, size = 1 << 30},
}
do
  local folders, made = {}, 0

  local function folder(options)
    if not folders[options] then
      local pipe = assert(io.popen("mktemp -d " .. options))
      folders[options] = pipe:read("l")
      pipe:close()
    end
    return folders[options]
  end

  function disk.folder() return folder "-t ipclua.spec.XXXXXX" end

  function disk.key()
    made = made + 1
    return ipc.disk_key(folder "-p /dev/shm disk.spec.XXXXXX" .. "/shop", "spec." .. made)
  end

  function disk.cleanup()
    for _, path in pairs(folders) do os.execute("rm -rf " .. path) end
    folders = {}
  end
end

local engines = {sysv, shm, memory, disk, redis, sysv = sysv, shm = shm, disk = disk, redis = redis}

-- Those that have the noun of a constructor.
function engines.of(make)
  local list = {}
  for _, engine in ipairs(engines) do
    if not engine.offers or engine.offers[make] then list[#list + 1] = engine end
  end
  return list
end

return engines
