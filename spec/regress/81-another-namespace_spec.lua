-- SPDX-License-Identifier: MIT
-- A holder is known by its process number and the time it started. /proc shows that time shifted by the time
-- namespace of its reader: so a living holder in another one was taken for dead, and there were two. The same may
-- happen where /proc is that of another pid namespace, whose numbers are not ours; and what was inherited by a child
-- in a pid namespace of its own was used there, as if the numbers meant the same.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local waits = require "spec.support.waits"

local PATIENCE <const>, EXDEV <const> = waits.PATIENCE, 18
local host = os.getenv("IPCLUA") or "build/ipclua"
local shm = engines.shm

-- A host that runs this, below a command: a function that sends it a line, if there is one, and hears the next.
local function start(command, code)
  code = "local ipc = require 'ipc' io.stdout:setvbuf 'line' " .. code
  local child = assert(ipc.process{"sh", "-c", command .. ' "$@" 2>&1', "sh", host, "-e", code,
    stdin = "pipe", stdout = "pipe"})
  return function(line)
    if line then child.stdin:send(line) end
    return child.stdout:receive(PATIENCE)
  end, child
end

-- What each line says that it is told to do.
local HOLDER <const> = [[
  local m = assert(ipc.mutex %q)
  for line in io.lines() do
    if line == "take" then print(m:acquire(0))
    elseif line == "wait" then print "waits" print(m:acquire(20))
    elseif line == "free" then print(m:release())
    elseif line == "fork" then
      local child = ipc.process(function(channel) channel:send(m:acquire(0)) ipc.sleep(100) end)
      print(child.channel:receive(20) and child.pid)
    elseif line == "kill" then os.exit(0, false)
    else os.execute(line) print "done" end
  end]]

describe("a holder in another time namespace", function()
  local ahead, behind = "unshare -T --boottime 1000 --fork", "unshare -T --boottime 77777 --fork"
  if not os.execute(ahead .. " true 2>/dev/null") then return pending("this may not make a time namespace") end
  after_each(shm.cleanup)

  for name, commands in pairs{
    ["outside, from within"] = {"", ahead}, ["within, from outside"] = {ahead, ""},
    ["within, from a third one"] = {ahead, behind},
  } do
    it("is alive as long as it is, and then dead: " .. name, function()
      local code = HOLDER:format("shm:" .. shm.key().name)
      local one, first <close> = start(commands[1], code)
      local two, second <close> = start(commands[2], code)
      assert.equal("true", one "take")
      assert.equal("nil\ttimeout", two "take")
      assert.equal("true", one "free")
      assert.equal("true", two "take")
      assert.equal("nil\ttimeout", one "take")
      assert.equal("true", two "free")
      assert.equal("true", one "take")
      assert.equal("waits", two "wait")
      one "kill"
      assert.equal("true\tabandoned", two())
      assert.is_truthy(first and second)
    end)
  end
end)

describe("a holder in a pid namespace", function()
  if not os.execute "unshare -pf true 2>/dev/null" then return pending("this may not make a pid namespace") end
  after_each(shm.cleanup)
  teardown(peer.clean)

  it("without a /proc of its own is alive as long as it is, and then dead", function()
    local hear, child <close> = start("unshare -pf", HOLDER:format("shm:" .. shm.key().name))
    local pid = assert(hear "fork")
    assert.equal("nil\ttimeout", hear "take")
    assert.equal("done", hear("kill -9 " .. pid))
    assert.equal("waits", hear "wait")
    assert.equal("true\tabandoned", hear())
    assert.is_truthy(child)
  end)

  -- where pids mean something else, LSan never ends
  it("that was forked with what its parent has, may not use that #nosan", function()
    local lib = peer.compile("namespace.c", "-shared -fPIC")
    local key = shm.key()
    local hear, child <close> = start("", ([=[
      package.loadlib(%q, "enter")()
      local key = ipc.key %q
      local objects = {
        {ipc.mutex(key), "acquire", 0}, {ipc.semaphore(key, 2), "acquire", 0}, {ipc.queue(key), "send", 1, "x", 0},
        {ipc.queue(ipc.private), "receive", 0, 0}, {ipc.shared_data(key), "set", "x", 1},
        {ipc.shared_memory(key, 1), "wait", 0, 0, 1},
      }
      local child = ipc.process(function(channel)
        local codes = {}
        for i, o in ipairs(objects) do codes[i] = select(3, o[1][o[2]](o[1], table.unpack(o, 3))) or 0 end
        local ok, why, code = ipc.mutex(key)
        codes[#codes + 1] = ok == nil and code or why
        local new = ipc.mutex(ipc.private)
        codes[#codes + 1] = new:acquire(0) and new:release() and 1 or 0
        channel:send(codes)
      end)
      print(table.concat(child.channel:receive(20), " "))]=]):format(lib, "shm:" .. key.name))
    assert.equal(("%d "):rep(7):format(EXDEV, EXDEV, EXDEV, EXDEV, EXDEV, EXDEV, EXDEV) .. "1", hear())
    assert.is_truthy(child)
  end)
end)
