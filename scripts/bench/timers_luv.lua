-- SPDX-License-Identifier: MIT
-- timers.lua for luv.
local uv = require "luv"
local n, fired = 100000, 0
local start = os.clock()
for i = 1, n do
  local timer = uv.new_timer()
  timer:start(i % 10, 0, function()
    fired = fired + 1
    timer:close()
  end)
end
uv.run()
print((os.clock() - start) / n * 1e9)
assert(fired == n)
