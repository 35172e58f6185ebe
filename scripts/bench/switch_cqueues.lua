-- SPDX-License-Identifier: MIT
-- switch.lua for cqueues.
local cqueues = require "cqueues"
local n = 200000
local loop = cqueues.new()
local function turns()
  for _ = 1, n do cqueues.sleep(0) end
end
loop:wrap(turns)
loop:wrap(turns)
local start = os.clock()
assert(loop:loop())
print((os.clock() - start) / (2 * n) * 1e9)
