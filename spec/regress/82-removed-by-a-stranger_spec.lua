-- SPDX-License-Identifier: MIT
-- remove() by a process that may use an object but does not own it said true. It had marked the object as removed and
-- then could not take the name away: so the object was dead for all that had it, and none could make a new one
-- there. Whether the name can be taken away is now asked first; if not, it is EPERM, and nothing has changed.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local segment = require "spec.support.segment"
local waits = require "spec.support.waits"

local EPERM <const> = 1
local host = os.getenv("IPCLUA") or "build/ipclua"
local stranger = ("setpriv --reuid=65534 --regid=65534 --clear-groups %s "):format(host)
local sysv, shm = engines.sysv, engines.shm

local nouns = {
  queue = function(key) return ipc.queue(key, {mode = 0666}) end,
  semaphore = function(key) return ipc.semaphore(key, 3, {mode = 0666}) end,
  mutex = function(key) return ipc.mutex(key, {mode = 0666}) end,
  memory = function(key) return ipc.shared_memory(key, 4, {mode = 0666}) end,
  data = function(key) return ipc.shared_data(key, {mode = 0666, size = 65536}) end,
}

local uses = {
  queue = function(q) return q:send(1, "x", 0) and q:receive(1, 0) == "x" end,
  semaphore = function(s) return s:acquire(0) and s:release() end,
  mutex = function(m) return m:acquire(0) and m:release() end,
  memory = function(m) return m:add(3, 1) > 0 end,
  data = function(d) return d:set("x", 1) ~= nil and d:get("x") == 1 end,
}

local calls = {
  queue = "queue(%q)", semaphore = "semaphore(%q, 3)", mutex = "mutex(%q)", memory = "shared_memory(%q, 4)",
  data = "shared_data(%q, {size = 65536})",
}

-- A process of another user that runs this: a function that hears its next line, after it has sent one if there is one.
local function start_stranger(code)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write("local ipc = require 'ipc' io.stdout:setvbuf 'line' ", code)
  file:close()
  os.execute("chmod 644 " .. path)
  local child = assert(ipc.process{"sh", "-c", ("%s %s 2>&1; rm -f %s"):format(stranger, path, path), stdin = "pipe",
    stdout = "pipe"})
  return function(line)
    if line then child.stdin:send(line) end
    return child.stdout:receive(waits.PATIENCE)
  end, child
end

-- All that it prints.
local function as_stranger(code)
  local hear, child <close> = start_stranger(code)
  local lines = {}
  for line in hear do lines[#lines + 1] = line end
  child:wait()
  return table.concat(lines, "\n")
end

local function text_of(key) return key.name and "shm:" .. key.name or "file:" .. key.path end

describe("an object of another user", function()
  if not os.execute(stranger .. "-e '' 2>/dev/null") then return pending("this cannot run as another user") end
  after_each(function()
    shm.cleanup()
    sysv.cleanup()
  end)

  for _, engine in ipairs{shm, not sysv.missing and sysv or nil} do
    for noun, open in pairs(nouns) do
      it(("is not removed by a user that may only use it: a %s on %s"):format(noun, engine.name), function()
        local key = engine.key()
        if key.path then os.execute("chmod 644 " .. key.path) end
        local object <close> = assert(open(key))
        local call = calls[noun]:format(text_of(key))
        local said = as_stranger(([[
          local o = assert(ipc.%s)
          local result = table.pack(o:remove())
          print(result[1], result[3])
          print((ipc.%s))]]):format(call, call))
        assert.matches(("^nil\t%d\nipc%%.%%a+ "):format(EPERM), said)
        assert.is_true(uses[noun](object))
        local again <close> = assert(open(key))
        assert.is_true(uses[noun](again))
        assert.is_true(object:remove())
        local new <close> = assert(open(key))
        assert.is_true(uses[noun](new))
      end)
    end
  end

  for noun, open in pairs(nouns) do
    it("whose name is gone already is not ended by a stranger either: a " .. noun, function()
      local key = shm.key()
      local object <close> = assert(open(key))
      local path = segment.path(noun, key)
      local hear, child <close> = start_stranger(([[
        local o = assert(ipc.%s)
        print "open"
        io.read()
        print(select(3, o:remove()))]]):format(calls[noun]:format(text_of(key))))
      assert.equal("open", hear())
      os.execute(("mv %s %s.away"):format(path, path))
      assert.equal(tostring(EPERM), hear("go on"))
      child:wait()
      assert.is_true(uses[noun](object))
      assert.is_true(object:remove())
    end)

    it("that its owner did not get to remove is said to be in the way: a " .. noun, function()
      local key = shm.key()
      local object = assert(open(key))
      local path, data = segment.path(noun, key), noun == "data"
      local file <close> = assert(io.open(data and path .. "/control" or path, "r+b"))
      file:seek("set", data and 56 or 36) -- where it is written that it was removed
      file:write("\1\0\0\0")
      file:flush()
      object:close()
      local said = as_stranger(("print(select(2, ipc.%s))"):format(calls[noun]:format(text_of(key))))
      assert.matches("it was removed, but its files? belongs? to another user: rm ", said)
      local new <close> = assert(open(key)) -- its owner clears it away
      assert.is_true(uses[noun](new))
    end)
  end

  it("a file lock in a folder where only owners remove is not removed either", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    os.execute("chmod 666 " .. path)
    local said = as_stranger(("print(select(3, assert(ipc.file_lock(%q)):remove()))"):format(path))
    assert.equal(tostring(EPERM), said)
    local file <close> = assert(io.open(path))
    assert.is_truthy(file)
  end)
end)
