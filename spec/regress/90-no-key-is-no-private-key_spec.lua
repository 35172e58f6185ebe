-- SPDX-License-Identifier: MIT
-- A key that could not be made is nil, and nil meant memory without a name: two programs that misspelt the path of
-- their key each got a lock of their own, and both held it. Now what is no key raises, with the reason that it is none,
-- and an object without a name is asked for by name. The text of a key does instead of it.

local ipc = require "ipc"

local constructors = {
  queue = ipc.queue,
  semaphore = function(key, ...) return ipc.semaphore(key, 1, ...) end,
  mutex = ipc.mutex,
  shared_memory = function(key, ...) return ipc.shared_memory(key, 1, ...) end,
  shared_data = ipc.shared_data,
}

local function refused(pattern, fn, ...)
  local ok, why = pcall(fn, ...)
  assert.is_false(ok)
  assert.matches(pattern, why)
end

describe("what is no key", function()
  for noun, make in pairs(constructors) do
    it("makes no " .. noun, function()
      refused("no key: .*ipc%.private", make)
      refused("no key: .*ipc%.private", make, nil)
      refused("key or its text expected, got boolean", make, false)
      refused("key or its text expected, got number", make, 42)
      refused("key or its text expected, got table", make, {})
      refused("key or its text expected, got FILE%*", make, io.stdout)
      refused("a key is \"file:/path", make, "")
      refused("a key is \"file:/path", make, "jobs")
      refused("zero byte", make, "shm:jobs\0")
      refused("cannot make a key of /srv/no/such: No such file or directory", make, "file:/srv/no/such")
      refused("path is too long", make, "file:/" .. ("x"):rep(100000))
      refused("1 to 200", make, "shm:" .. ("x"):rep(201))
      refused("URL", make, "redis://host/" .. ("x"):rep(100000))
    end)
  end

  it("says why there is none", function()
    local why <const> = "#1 to 'queue' %(no key: cannot make a key of /srv/no/such: No such file or directory%)"
    refused(why, function() return ipc.queue(ipc.file_key("/srv/no/such")) end)
    refused(why, function() return ipc.queue(ipc.key("file:/srv/no/such")) end)
  end)

  it("says which key failed last where the reason was cut off", function()
    refused("ipc%.private; the last key that failed: cannot make a key of /srv/no/such: No such file or directory",
      function() return ipc.semaphore(ipc.file_key("/srv/no/such"), 1) end)
  end)

  it("is told apart from no file, where a file is wanted", function()
    local a <close> = ipc.stream_channel_pair()
    local why <const> = "#1 to '%s' %%(no file: /srv/no/such: No such file or directory%%)"
    refused(why:format("stream_channel"), function() return ipc.stream_channel(io.open("/srv/no/such")) end)
    refused(why:format("send_handle"), function() return a:send_handle(io.open("/srv/no/such")) end)
  end)

  it("is also a file in the disguise of one", function()
    local file <close> = assert(io.tmpfile())
    local own = debug.getmetatable(file)
    debug.setmetatable(file, debug.getmetatable(ipc.private))
    local made, why = pcall(ipc.queue, file)
    local shown = pcall(tostring, file)
    local same = ipc.private == file
    debug.setmetatable(file, own)
    assert.is_false(made)
    assert.matches("key or its text expected", why)
    assert.is_false(shown)
    assert.is_false(same)
  end)
end)

describe("ipc.private", function()
  it("is a key", function()
    assert.equal("ipc.Key (private)", tostring(ipc.private))
    assert.equal(ipc.private, ipc.private)
    assert.not_equal(ipc.private, ipc.shm_key("private"))
    for _, field in ipairs{"name", "id", "path", "project"} do assert.is_nil(ipc.private[field]) end
    refused("key private is no file", ipc.private.clone, ipc.private)
  end)

  it("makes another object each time", function()
    local a <close> = ipc.mutex(ipc.private)
    local b <close> = ipc.mutex(ipc.private)
    assert.is_true(a:try_acquire())
    assert.is_true(b:try_acquire())
    assert.matches("private", tostring(a))
  end)

  it("is not equal to what is no key", function()
    assert.is_false(ipc.private == io.stdout)
    assert.is_false(io.stdout == ipc.private)
  end)
end)

describe("the text of a key", function()
  local text <const> = ("shm:spec.90.%d"):format(ipc.pid())

  for noun, make in pairs(constructors) do
    it("does for a " .. noun, function()
      local object <close> = assert(make(text))
      local same <close> = assert(make(ipc.key(text)))
      assert.matches(text, tostring(object), 1, true)
      assert.is_true(object:remove())
      assert.equal("removed", select(2, same:remove()))
    end)
  end

  it("may be that of a file", function()
    local path <const> = os.tmpname()
    finally(function() os.remove(path) end)
    local a <close> = ipc.queue("file:" .. path .. "?project=7", {codec = "lua"})
    local b <close> = ipc.queue(ipc.file_key(path, 7), {codec = "lua"})
    a:send(1, "through")
    local got = b:receive(1, 0)
    a:remove()
    assert.equal("through", got)
  end)
end)
