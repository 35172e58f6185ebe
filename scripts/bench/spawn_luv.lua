-- SPDX-License-Identifier: MIT
-- spawn.lua for luv.
local uv = require "luv"
local n, ended = 1000, 0
local start = uv.hrtime()
local function work()
  local handle
  handle = assert(uv.spawn("true", {stdio = {0, 1, 2}}, function()
    handle:close()
    ended = ended + 1
    if ended < n then work() end
  end))
end
work()
uv.run()
print((uv.hrtime() - start) / n)
assert(ended == n)
