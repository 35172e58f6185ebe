-- SPDX-License-Identifier: MIT
-- A pool that was made when no descriptor was left had no semaphore for its workers, and its close raised "attempt to
-- index a nil value (field 'slots')", a line of ours.

local homes = require "spec.support.homes"

describe("a pool for which there is no descriptor", function()
  for _, home in ipairs(homes) do
    it("is not made, and says why, in " .. home.name, function()
      local output, status, errors = home.run([[
        local pool, files = require "ipc.pool", {}
        repeat
          local file = io.open "/dev/null"
          files[#files + 1] = file
        until not file
        local made, message, errno = pool.new()
        print(made, message:match "ulimit", errno)
        for _, file in ipairs(files) do file:close() end
        local again <close> = pool.new {workers = 1}
        print(again:map({1}, function(n) return n + 1 end)[1])]], "prlimit --nofile=40")
      assert.equal("nil\tulimit\t24\n2\n", output, errors)
      assert.equal("exit 0", status)
    end)
  end
end)
