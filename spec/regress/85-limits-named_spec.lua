-- SPDX-License-Identifier: MIT
-- Where a limit of the system was in the way, or a file system was missing, the errno or its text told of something
-- else: "No such file or directory" for a small kernel.sem, for no /proc and for no /dev/shm. Each has a text of its
-- own now, which names the setting, the folder, or the command that helps. And what was made on the way there is gone
-- again.

local engines = require "spec.support.engines"

local ENOENT <const>, E2BIG <const>, EAGAIN <const>, ENOSPC <const> = 2, 7, 11, 28
local host = os.getenv("IPCLUA") or "build/ipclua"
local sysv, shm = engines.sysv, engines.shm

-- What a host prints that runs this, after the commands, in namespaces of its own.
local function run(namespaces, commands, code)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write("local ipc = require 'ipc' ", code)
  file:close()
  os.execute("chmod 644 " .. path)
  local pipe = assert(io.popen(("unshare %s sh -c '%s && exec %s %s' 2>&1"):format(namespaces, commands, host, path)))
  local text = pipe:read("a")
  pipe:close()
  os.remove(path)
  return text
end

local function says(text, errno, said)
  assert.is_truthy(said:find(text, 1, true), said)
  assert.matches("\t" .. errno .. "\n", said)
end

describe("a limit of System V", function()
  if sysv.missing then return pending(sysv.missing) end
  if not os.execute("unshare -i sh -c 'echo 250 32000 500 100 >/proc/sys/kernel/sem' 2>/dev/null") then
    return pending("this may not change the limits of a namespace")
  end
  after_each(sysv.cleanup)

  for setting, case in pairs{
    ["sem 3 32000 500 100"] = {"semaphore(key, 2)", "and the limit is 3 (the 1st number of kernel.sem)", ENOSPC},
    ["sem 250 4 500 100"] = {"mutex(key)", "(the 4th and the 2nd number of kernel.sem)", ENOSPC},
    ["sem 250 32000 500 0"] = {"semaphore(key, 2)", "(the 4th and the 2nd number of kernel.sem)", ENOSPC},
    ["sem 250 32000 2 100"] = {"mutex(key)", "and the limit is 2 (the 3rd number of kernel.sem)", E2BIG},
    ["msgmni 0"] = {"queue(key)", "(kernel.msgmni)", ENOSPC},
    ["shmmni 0"] = {"shared_memory(key, 1)", "(kernel.shmmni, kernel.shmall)", ENOSPC},
    ["shmmax 100"] = {"shared_memory(key, 1000)", "over the limit of 100 (kernel.shmmax)", ENOSPC},
  } do
    it("is named: kernel." .. setting, function()
      local name, value = setting:match("(%a+) (.*)")
      local said = run("-i", ("echo %s > /proc/sys/kernel/%s"):format(value, name), ([[
        local key = ipc.file_key(%q)
        print(ipc.%s)
        for _, kind in ipairs{"s", "q", "m"} do
          for line in io.popen("ipcs -" .. kind):lines() do assert(not line:find "^0x", line) end
        end
        print "nothing is left"]]):format(sysv.key().path, case[1]))
      says(case[2], case[3], said)
      assert.matches("nothing is left\n$", said)
    end)
  end
end)

describe("a file system that is not there #nosan", function()
  if not os.execute("unshare -m true 2>/dev/null") then return pending("this may not make a mount namespace") end
  after_each(shm.cleanup)

  local nouns = {"queue(%s)", "semaphore(%s, 2)", "mutex(%s)", "shared_memory(%s, 1)", "shared_data(%s)"}

  for _, call in ipairs(nouns) do
    it("is named: " .. call:format("key"), function()
      local name = shm.key().name
      local open = "print(ipc." .. call:format(("ipc.shm_key %q"):format(name)) .. ")"
      says("/proc is not mounted", ENOENT, run("-m", "mount -t tmpfs none /proc", open))
      local dev = os.tmpname()
      os.remove(dev)
      local hide = ("mkdir %s && mount -t tmpfs none %s && mount --move %s /dev && rmdir %s"):format(dev, dev, dev, dev)
      says("/dev/shm is not there", ENOENT, run("-m", hide, open))
    end)
  end

  it("is not missed by calls that need none", function()
    local hide = "mount -t tmpfs none /proc"
    assert.equal("true\ttrue\ttrue\tx\n", run("-m", hide, [[
      local a, b = ipc.stream_channel_pair()
      a:send "x"
      local m, q = ipc.mutex(ipc.private), ipc.queue(ipc.private)
      print(m:acquire(), q:send(1, "x"), ipc.process{"true"}:wait(), b:receive())]]))
  end)
end)

describe("a thread that cannot be made", function()
  local few = "setpriv --reuid=65534 --regid=65534 --clear-groups bash -c \"ulimit -u 1 && exec %s %s\""
  if not os.execute(few:format(host, "-e ''") .. " 2>/dev/null") then
    return pending("this cannot run as another user")
  end
  if sysv.missing then return pending(sysv.missing) end
  after_each(sysv.cleanup)

  it("is named where something waits, and so is a process", function()
    local key, path = sysv.key(), os.tmpname()
    finally(function() os.remove(path) end)
    os.execute(("chmod 666 %s; chmod 644 %s"):format(key.path, path))
    local file = assert(io.open(path, "w"))
    file:write(([[
      local ipc = require "ipc"
      local key = ipc.file_key %q
      local a, b = assert(ipc.mutex(key)), assert(ipc.mutex(key))
      local c, d = ipc.file_lock %q, ipc.file_lock %q
      local q = assert(ipc.queue(key))
      local near, far = ipc.stream_channel_pair() -- with a descriptor to wait for, the loop cannot block for the others
      ipc.task(function() far:receive() end):detach()
      a:acquire() c:acquire()
      print(b:acquire(10)) print(d:acquire(10)) print(q:receive(0, 10))
      print(ipc.process(function() end)) print(ipc.process{"true"})
      print(a:release(), b:acquire(), c:release(), d:acquire(), q:send(1, "x"), q:receive())
      a:remove() q:remove()]]):format(key.path, key.path, key.path))
    file:close()
    local pipe = assert(io.popen(few:format(host, path) .. " 2>&1"))
    local lines = {}
    for line in pipe:lines() do lines[#lines + 1] = line end
    pipe:close()
    for i = 1, 5 do
      assert.matches("ulimit %-u", lines[i])
      assert.matches("\t" .. EAGAIN .. "$", lines[i])
    end
    assert.equal("true\ttrue\ttrue\ttrue\ttrue\tx\t1", lines[6])
  end)
end)
