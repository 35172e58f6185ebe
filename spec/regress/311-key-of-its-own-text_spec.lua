-- SPDX-License-Identifier: MIT
-- The text of a key whose path has a "?" or a "%" was not a text of that key: ipc.key refused it, or made a key of
-- another path. And an error about a key did not show what was given.

local ipc = require "ipc"

describe("a key of a path", function()
  local function text(key) return tostring(key):match "^ipc%.Key %((.*)%)$" end

  it("has a text that makes the same key", function()
    for _, path in ipairs{"/tmp/a?b", "/tmp/100%", "/tmp/%41", "/tmp/a?name=b", "/tmp/%3F?", "relative?"} do
      local key = ipc.disk_key(path, "x.y")
      assert.equal(path, key.path)
      assert.equal("x.y", key.name)
      assert.equal(key, ipc.key(text(key)))
      assert.equal(path, ipc.key(text(key)).path)
    end
  end)

  it("of a file, too", function()
    local path = os.tmpname()
    local odd = path .. "?%41"
    assert(os.rename(path, odd))
    finally(function() os.remove(odd) end)
    local key = assert(ipc.file_key(odd, 3))
    local again = assert(ipc.key(text(key)))
    assert.same({odd, 3, key.id}, {again.path, again.project, again.id})
    assert.equal(odd, assert(key:clone()).path)
  end)

  it("that is none is shown in the error, but no password", function()
    for given, why in pairs{
      jobs = 'not "jobs"', ["disk:/x?nam=x"] = 'not "?nam=x"', ["shm:a b"] = 'not "a b"',
      ["disk:/x?name=a b"] = 'not "a b"',
      ["file:/x?project=300"] = "got 300", ["reids://:secret@host/0/a"] = 'not "reids:..."',
    } do
      local _, message = pcall(ipc.key, given)
      assert.truthy(message:find(why, 1, true), message)
      assert.is_nil(message:find("secret", 1, true))
    end
  end)
end)
