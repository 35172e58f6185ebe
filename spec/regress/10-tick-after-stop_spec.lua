-- SPDX-License-Identifier: MIT
-- A timer stood still in code that never waits when another one had been stopped shortly before: the kernel's timer,
-- still armed for that one, came too early, found nothing due, and was not armed again.

local homes = require "spec.support.homes"

describe("a timer that is started after another was stopped", function()
  for _, home in ipairs(homes) do
    it("ticks in code that never waits, in " .. home.name .. " #busy", function()
      local output, status, errors = home.run [[
        for i = 1, 20 do
          local ticked = false
          local early = ipc.timer(0.002, function() end)
          local late = ipc.after(0.004, function() ticked = true end)
          early:stop()
          while not ticked do end
        end
        print "ticked"]]
      assert.equal("ticked\n", output, errors)
      assert.equal("exit 0", status)
    end)
  end
end)
