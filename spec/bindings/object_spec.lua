-- SPDX-License-Identifier: MIT
-- Objects are told apart by what they are: whatever else a method is called on is refused, also what has been given the
-- metatable of its class.

local ipc = require "ipc"

local makers = {
  semaphore = function() return ipc.semaphore(ipc.private, 1) end,
  mutex = function() return ipc.mutex(ipc.private) end,
  file_lock = function()
    local path = os.tmpname()
    local lock = ipc.file_lock(path)
    os.remove(path) -- it has the file open
    return lock
  end,
  queue = function() return ipc.queue(ipc.private) end,
  job = function()
    local queue = ipc.queue(ipc.private)
    queue:send(1, "x")
    return queue:take()
  end,
  shared_memory = function() return ipc.shared_memory(ipc.private, 4) end,
  shared_data = function() return ipc.shared_data(ipc.private) end,
  stream_channel = function() return (ipc.stream_channel_pair()) end,
  multi_stream_channel = function() return ipc.multi_stream_channel() end,
  task = function() return ipc.task(function() end) end,
  timer = function() return ipc.timer(100) end,
  signal = function() return ipc.signal("USR1") end,
  signal_handler = function() return ipc.signal_handler("USR1") end,
  signal_trap = function() return ipc.signal_trap("USR1") end,
  process = function() return ipc.process {"true"} end,
  guard = function() return ipc.mutex(ipc.private):hold() end,
  key = function() return ipc.private end,
}

-- One that a class has; a key has nothing to close.
local function method_of(object)
  return object.close or object.stop or object.clone
end

for noun, make in pairs(makers) do
  describe("a method of " .. noun, function()
    local function refused(what)
      local ok, why = pcall(method_of(make()), what)
      assert.is_false(ok)
      assert.matches("ipc%.%w+ expected, got ", why)
    end

    it("refuses values that are no objects", function()
      for _, what in ipairs{1, "a string that is longer than an address", {1, 2, 3}, print, ipc.null, true} do
        refused(what)
      end
      assert.is_false(pcall(method_of(make())))
    end)

    it("refuses objects of other classes", function()
      refused(io.stdout)
      refused(coroutine.create(print))
      for other, make_other in pairs(makers) do
        if other ~= noun then refused(make_other()) end
      end
    end)

    it("refuses what is disguised as an object", function()
      local file <close> = assert(io.tmpfile())
      local own = debug.getmetatable(file)
      debug.setmetatable(file, debug.getmetatable(make()))
      local ok, why = pcall(refused, file)
      debug.setmetatable(file, own)
      assert.is_true(ok, why)
    end)
  end)

  describe("a metamethod of " .. noun, function()
    it("refuses what is no such object", function()
      local meta = debug.getmetatable(make())
      for name, fn in pairs(meta) do
        if type(fn) == "function" then
          for _, what in ipairs{1, "x", {}, io.stdout, ipc.null, coroutine.create(print)} do
            local ok, result = pcall(fn, what, what)
            assert.is_true(not ok or not result, name)
          end
        end
      end
    end)

    it("may be the finaliser, called by hand: the object is closed", function()
      local object = make()
      local meta = debug.getmetatable(object)
      if not meta.__gc then return end
      if noun == "process" then object:wait() end -- nothing would reap it afterwards
      meta.__gc(object)
      meta.__gc(object)
      assert.equal("string", type(tostring(object)))
      for _, method in pairs(meta.__methods or meta.__index) do pcall(method, object, "x", "x", 0) end
      pcall(ipc.select, {object}, 0)
    end)
  end)
end
