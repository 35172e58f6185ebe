-- SPDX-License-Identifier: MIT
-- In stock Lua a program that had no descriptor left and required "ipc.pool" read that the module is not found: the
-- search for it opens files, and takes each that it cannot open for none. It is in ipc.so, which is loaded already.

local homes = require "spec.support.homes"

describe("a module of ipc's", function()
  for _, home in ipairs(homes) do
    it("can be required when no descriptor is left, in " .. home.name, function()
      local output, _, errors = home.run([[
        local files, file = {}
        repeat
          file = io.open("/dev/null")
          files[#files + 1] = file
        until not file
        for _, name in ipairs {"ipc.pool", "ipc.supervisor"} do print(type(require(name).new)) end]],
        "prlimit --nofile=64")
      assert.equal("function\nfunction\n", output, errors)
    end)
  end
end)
