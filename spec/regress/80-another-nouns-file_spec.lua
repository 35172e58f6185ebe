-- SPDX-License-Identifier: MIT
-- A file of /dev/shm that this process had open was known again by its inode alone. So a hard link of a memory's
-- file, put under a queue's name, was taken for a queue by the process that had the memory, and that crashed. The
-- same went for another name of the same noun, and for a directory of shared data that was renamed or copied: two
-- keys were one object, or two objects shared one lock file. A semaphore and a mutex of one file key took each
-- other's set.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local segment = require "spec.support.segment"

local EUCLEAN <const>, EINVAL <const> = 117, 22
local sysv, shm = engines.sysv, engines.shm

local nouns = {
  queue = function(key) return ipc.queue(key, {capacity = 4096}) end,
  semaphore = function(key) return ipc.semaphore(key, 3) end,
  mutex = function(key) return ipc.mutex(key) end,
  memory = function(key) return ipc.shared_memory(key, 512) end,
  data = function(key) return ipc.shared_data(key, {size = 65536}) end,
}

local uses = {
  queue = function(q) return q:send(1, "x", 0) and q:receive(1, 0) == "x" end,
  semaphore = function(s) return s:acquire(0) and s:release() end,
  mutex = function(m) return m:acquire(0) and m:release() end,
  memory = function(m) return m:add(511, 1) > 0 end,
  data = function(d) return d:set("x", 1) ~= nil and d:get("x") == 1 end,
}

local function run(command, ...)
  assert.is_true((os.execute(command:format(...))), command)
end

describe("an object in shared memory", function()
  after_each(shm.cleanup)

  -- damaged, it says, and which file that is
  local function refused(open, key, path)
    for _ = 1, 2 do
      local object, message, code = open(key)
      assert.is_nil(object)
      assert.equal(EUCLEAN, code, message)
      assert.is_truthy(message:find("it is damaged; remove it (rm ", 1, true), message)
      assert.is_truthy(message:find(path .. ")", 1, true), message)
    end
  end

  for noun, open in pairs(nouns) do
    local move = noun == "data" and "mv %s %s" or "ln %s %s"

    it("is not found under another noun's name, though it is open: a " .. noun, function()
      local key = shm.key()
      local object <close> = assert(open(key))
      for other, open_other in pairs(nouns) do
        if other ~= noun and noun ~= "data" and other ~= "data" then
          run(move, segment.path(noun, key), segment.path(other, key))
          refused(open_other, key, segment.path(other, key))
        end
      end
      assert.is_true(uses[noun](object))
      local again <close> = assert(open(key))
      assert.is_true(uses[noun](again))
    end)

    it("is not found under another name, open or not: a " .. noun, function()
      local key, other = shm.key(), shm.key()
      local object = assert(open(key))
      run(move, segment.path(noun, key), segment.path(noun, other))
      refused(open, other, segment.path(noun, other))
      assert.is_true(uses[noun](object))
      object:close()
      refused(open, other, segment.path(noun, other))
    end)

    it("is not found as a copy under another name, nor in another's place: a " .. noun, function()
      local key, other = shm.key(), shm.key()
      local object <close> = assert(open(key))
      run("cp -r %s %s", segment.path(noun, key), segment.path(noun, other))
      refused(open, other, segment.path(noun, other))
      assert.is_true(uses[noun](object))
    end)

    it("that was cut short or has grown while it is open, is not opened again: a " .. noun, function()
      for _, size in ipairs{"-100", "+100"} do
        local key = shm.key()
        local path = segment.path(noun, key)
        local object <close> = assert(open(key))
        run("truncate -s %s %s", size, noun == "data" and path .. "/data.mdb" or path)
        refused(open, key, path)
        assert.is_true(object:remove())
        local new <close> = assert(open(key))
        assert.is_true(uses[noun](new))
      end
    end)
  end

  it("of shared data has the files that it was made with", function()
    for _, file in ipairs{"data.mdb", "lock.mdb", "control"} do
      local key, other = shm.key(), shm.key()
      local mine <close>, theirs = assert(nouns.data(key)), assert(nouns.data(other))
      theirs:set("whose", "theirs")
      theirs:close()
      run("ln -f %s/%s %s/%s", segment.path("data", key), file, segment.path("data", other), file)
      refused(nouns.data, other, segment.path("data", other))
      assert.is_true(uses.data(mine))
    end
  end)
end)

describe("a System V set", function()
  if sysv.missing then return pending(sysv.missing) end
  after_each(sysv.cleanup)

  it("is a semaphore's or a mutex's, and not both", function()
    for first, second in pairs{semaphore = "mutex", mutex = "semaphore"} do
      local key = sysv.key()
      local object = assert(ipc[first](key, first == "semaphore" and 1 or nil))
      for _ = 1, 2 do -- while it is open here, and when it is not
        local other, message, code = ipc[second](key, second == "semaphore" and 1 or nil)
        assert.is_nil(other)
        assert.equal(EINVAL, code, message)
        object:close()
      end
      local again <close> = assert(ipc[first](key, first == "semaphore" and 1 or nil))
      assert.same({true}, {again:acquire(0)})
    end
  end)
end)
