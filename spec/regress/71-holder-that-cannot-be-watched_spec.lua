-- SPDX-License-Identifier: MIT
-- A task that began to wait for a lock in shared memory while its process had no descriptor left could not watch the
-- holder, and was not told when that was killed, not even when there were descriptors again: it waited for ever. Now it
-- looks from time to time; and a holder is known to have ended without any descriptor.

local engines = require "spec.support.engines"
local homes = require "spec.support.homes"
local segment = require "spec.support.segment"

local shm = engines.shm
local FEW <const> = [[sh -c 'ulimit -n 48 && exec "$@"' -]]

-- A process holds; this one uses up its descriptors, comes to wait, and kills the holder.
local program = [[
  local noun, name, path, what = "%s", "%s", "%s", "%s"
  local function open()
    if noun == "mutex" then return assert(ipc.mutex(ipc.shm_key(name))) end
    return assert(ipc.semaphore(ipc.shm_key(name), 1))
  end
  local lock = open()
  local holder = ipc.process(function(channel)
    open():acquire()
    channel:send("held")
    channel:receive()
  end)
  holder.channel:receive()
  local bytes = assert(io.open(path, "rb"))
  bytes:setvbuf("no")
  local function is_parked()
    bytes:seek("set", 44)
    return bytes:read(4) ~= "\0\0\0\0"
  end
  local files = {}
  repeat
    local file = io.open("/dev/null")
    files[#files + 1] = file
  until not file
  if what == "killed before" then
    holder:signal("KILL")
    repeat local ok, how = lock:try_acquire() until ok and not print(ok, how) or ipc.sleep(0.001)
    return
  end
  local waiter = ipc.task(function() print(lock:acquire(15)) end)
  repeat ipc.sleep(0.001) until is_parked()
  holder:signal("KILL")
  if what == "freed again" then for _, file in ipairs(files) do file:close() end end
  waiter:join()
]]

describe("a holder that cannot be watched, for want of a descriptor,", function()
  after_each(shm.cleanup)

  for _, home in ipairs(homes) do
    for _, noun in ipairs{"mutex", "semaphore"} do
      for _, what in ipairs{"freed again", "never freed", "killed before"} do
        it(("is known to be dead: %s, %s, %s #nosan"):format(noun, what, home.name), function()
          local key = shm.key()
          local told = noun == "mutex" and "true\tabandoned\n" or what == "killed before" and "true\tnil\n" or "true\n"
          local code = program:format(noun, key.name, segment.path(noun, key), what)
          assert.same({told, "exit 0", ""}, {home.run(code, FEW)})
        end)
      end
    end
  end
end)
