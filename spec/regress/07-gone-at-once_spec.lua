-- SPDX-License-Identifier: MIT
-- With SIGCHLD ignored, which a program may inherit, the kernel reaps a child when it ends. One that ended before the
-- parent had opened its pidfd made ipc.process fail with "No such process", and what it had sent was lost.

local homes = require "spec.support.homes"

describe("a child that has ended at once", function()
  for _, home in ipairs(homes) do
    it("is a process that has ended, when how is not asked, in " .. home.name, function()
      local output, status, errors = home.run([[
        for i = 1, 100 do
          local child = assert(ipc.process(function(channel) channel:send(i) os.exit(3) end))
          assert(child.channel:receive(10) == i)
          local ok, why, number = child:wait(10)
          assert(not ok and why:find("how is not known") and number == 10)
          child:close()
        end
        print(ipc.stats().tasks)]], "env --ignore-signal=CHLD")
      assert.equal("0\n", output, errors)
      assert.equal("exit 0", status)
    end)
  end
end)
