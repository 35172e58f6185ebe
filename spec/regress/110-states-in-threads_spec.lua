-- SPDX-License-Identifier: MIT
-- The free lists of the host's allocator had no lock. Modules that make Lua states in threads take the allocator of the
-- state that loads them (lua_getallocf; LuaLanes does): two threads cut the same block, and the program crashed.

local peer = require "spec.support.peer"

-- much of all sizes, some of it alive at the end
local CODE = [[
  kept = {}
  for k = 1, 8 do
    local t = {}
    for i = 1, 1000 do t[i] = {tostring(i), ("x"):rep(i % 300) .. k} end
    kept[k % 4] = t
  end
]]

local function resident()
  local file = assert(io.open("/proc/self/statm"))
  local pages = file:read("a"):match("^%d+ (%d+)")
  file:close()
  return pages * 4096
end

describe("Lua states in threads, with the allocator of the state that made them", function()
  local lanes

  setup(function()
    local path = peer.compile("states.c", "-shared -fPIC $(pkg-config --cflags lua5.4) -lpthread")
    lanes = assert(package.loadlib(path, "luaopen_states"))().lanes
  end)

  teardown(peer.clean)

  for _, made_here in ipairs{false, true} do
    for _, closed_here in ipairs{false, true} do
      local where = ("made %s, closed %s"):format(made_here and "here" or "there", closed_here and "here" or "there")

      it("do not disturb each other: " .. where, function()
        assert.equal(5, lanes(4, CODE, made_here, closed_here))
      end)

      it("leave no memory behind: " .. where .. " #nosan", function()
        for _ = 1, 2 do lanes(1, CODE, made_here, closed_here) end
        local before = resident()
        for _ = 1, 8 do lanes(1, CODE, made_here, closed_here) end
        assert.is_true(resident() - before < 4 << 20, resident() - before)
      end)
    end
  end
end)
