-- SPDX-License-Identifier: MIT
-- A program whose first line was require "ipc.pool", or "ipc.supervisor" as in its page, did not find the module: only
-- require "ipc" made them known.

local host = os.getenv("IPCLUA") or "build/ipclua"
local homes = {ipclua = host}
if not os.getenv("IPC_SANITIZE") then -- a stock Lua cannot load a module that wants a sanitizer's runtime
  homes["lua5.4"] = ("env LUA_CPATH='%s/?.so;;' lua5.4"):format(host:match("^(.*)/") or ".")
end

describe("a module that comes with ipc", function()
  for name, home in pairs(homes) do
    it("is found before ipc, and is the same one afterwards, in " .. name, function()
      local code = "local p, s = require 'ipc.pool', require 'ipc.supervisor' require 'ipc' "
        .. "print(p == require 'ipc.pool', s == require 'ipc.supervisor', p.new {workers = 2}:map({1}, tostring)[1])"
      local pipe = assert(io.popen(("%s -e %q 2>&1"):format(home, code)))
      assert.equal("true\ttrue\t1\n", pipe:read("a"))
      assert.is_true(pipe:close())
    end)
  end
end)
