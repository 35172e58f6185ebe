-- SPDX-License-Identifier: MIT
-- data:update(name, fn) whose function changed the same name never ended: something always came between. It raises
-- after so many attempts; so does add() with a codec of the user's that does such a thing. And a directory of shared
-- data that is damaged cannot be opened, so it has no handle to be removed by: the constructor says what to remove.

local ipc = require "ipc"
local engines = require "spec.support.engines"

local EUCLEAN <const> = 117
local shm = engines.shm

describe("an update", function()
  after_each(shm.cleanup)

  local function open(options) return assert(ipc.shared_data(shm.key(), options)) end

  it("raises when its function changes the name, whichever way", function()
    local d <close> = open{size = 65536}
    local other <close> = assert(ipc.shared_data("shm:" .. tostring(d):match "shm:([^,]+)"))
    for _, change in ipairs{
      function(v) d:set("x", v + 1) end, function() other:add("x", 1) end,
      function() d:delete("x") d:set("x", 1) end,
    } do
      d:set("x", 1)
      local calls = 0
      assert.error_matches(function()
        d:update("x", function(v)
          calls = calls + 1
          change(v)
          return v
        end)
      end, "'x' changed at each of 10000 attempts")
      assert.equal(10000, calls)
    end
  end)

  it("is done when its function changes other names, or changes this one now and then", function()
    local d <close> = open{size = 65536}
    assert.equal(7, d:update("x", function()
      d:set("y", 1)
      return 7
    end))
    local calls = 0
    assert.equal(1008, d:update("x", function(v)
      calls = calls + 1
      if calls <= 1000 then d:set("x", v + 1) end
      return v + 1
    end))
  end)

  it("raises when a codec changes what add adds to", function()
    local d, plain
    local codec = {
      encode = function(v)
        if plain then plain:set("x", v + 1) end
        return tostring(v)
      end,
      decode = function(text) return math.tointeger(text) end,
    }
    d = open{size = 65536, codec = codec}
    d:set("x", 1)
    plain = assert(ipc.shared_data("shm:" .. tostring(d):match "shm:([^,]+)"))
    assert.error_matches(function() d:add("x", 1) end, "'x' changed at each of 10000 attempts")
    plain:close()
    d:close()
  end)

  it("of data that is damaged is not possible, and the constructor says what to remove", function()
    local key = shm.key()
    local path = "/dev/shm/ipclua.data." .. key.name
    for _, damage in ipairs{"rm %s/data.mdb", "rm %s/control", "truncate -s 10 %s/data.mdb"} do
      assert(ipc.shared_data(key, {size = 65536})):close()
      assert(os.execute(damage:gsub("%%s", path)))
      local d, why, code = ipc.shared_data(key)
      assert.same({nil, EUCLEAN}, {d, code})
      local command = assert(why:match("remove it %((rm %-r .*)%)$"), why)
      assert(os.execute(command))
    end
    local d <close> = assert(ipc.shared_data(key, {size = 65536}))
    d:set("x", 1)
    os.execute(("rm %s/lock.mdb"):format(path)) -- while it is open here, it can be removed
    assert.is_true(d:remove())
    assert.is_nil(io.open(path .. "/control"))
  end)
end)
