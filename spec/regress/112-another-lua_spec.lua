-- SPDX-License-Identifier: MIT
-- LuaJIT and Lua 5.1 to 5.3 said "undefined symbol: lua_newuserdatauv" of ipc.so, which explains nothing.

local host = os.getenv("IPCLUA") or "build/ipclua"
local folder = host:match("^(.*)/") or "."

describe("ipc.so in another Lua", function()
  if os.getenv("IPC_SANITIZE") then return end -- it wants a sanitizer's runtime

  for _, name in ipairs{"lua5.1", "lua5.2", "lua5.3", "luajit"} do
    local version = name == "luajit" and "5.1" or name:sub(4)
    for _, module in ipairs{"ipc", "ipc.pool", "ipc.supervisor"} do
      it(("says which Lua it is for: %s in %s"):format(module, name), function()
        if not os.execute(("command -v %s >/dev/null"):format(name)) then return pending("no " .. name) end
        local code = ("package.cpath = '%s/?.so' print(pcall(require, '%s'))"):format(folder, module)
        local pipe = assert(io.popen(("%s -e %q 2>&1"):format(name, code)))
        assert.equal(("false\tipc is for Lua 5.4, and this is Lua %s\n"):format(version), pipe:read("a"))
        assert.is_true(pipe:close())
      end)
    end
  end
end)
