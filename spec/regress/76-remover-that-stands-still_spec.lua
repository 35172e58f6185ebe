-- SPDX-License-Identifier: MIT
-- A process that removes an object of /dev/shm has its file locked for some system calls, so that two do not remove two
-- files of one name. One that was stopped there stopped all that removed the object, or opened it anew, for as long as
-- it pleased.

local ipc = require "ipc"
local engines = require "spec.support.engines"

local PATIENCE <const> = 20
local ETIMEDOUT <const> = 110
local shm = engines.shm

-- What has a name, and the file that is locked.
local nouns = {
  mutex = {ipc.mutex, "/dev/shm/ipclua.mutex.%s"},
  ["shared data"] = {ipc.shared_data, "/dev/shm/ipclua.data.%s"},
}

describe("a process that stands still while it removes an object", function()
  after_each(shm.cleanup)

  it("keeps others for five seconds #slow #nosan", function()
    local children = {}
    for noun, how in pairs(nouns) do
      local key = shm.key()
      local object = assert(how[1](key))
      local lock = assert(ipc.file_lock(how[2]:format(key.name)))
      assert(lock:acquire(0))
      children[noun] = assert(ipc.process(function(channel)
        local ok, why, errno = object:remove()
        channel:send{ok or "nil", why, errno}
        channel:send(how[1](key) ~= nil)
      end))
      finally(function() lock:close() end)
      how.go_on = function() return lock:release() end
    end
    for noun, child in pairs(children) do
      local ok, why, errno = table.unpack(child.channel:receive(PATIENCE))
      assert.same({"nil", ETIMEDOUT}, {ok, errno})
      assert.matches("stands still", why)
      assert.is_true(nouns[noun].go_on())
    end
    for _, child in pairs(children) do
      assert.is_true(child.channel:receive(PATIENCE))
      child:close()
    end
  end)
end)
