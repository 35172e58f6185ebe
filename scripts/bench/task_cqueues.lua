-- SPDX-License-Identifier: MIT
-- task.lua for cqueues, which has no join: many coroutines are wrapped, and the loop runs until they have ended.
local cqueues = require "cqueues"
local n, at_once = 500000, 1000
local function work() end
local start = os.clock()
for _ = 1, n / at_once do
  local loop = cqueues.new()
  for _ = 1, at_once do loop:wrap(work) end
  assert(loop:loop())
end
print((os.clock() - start) / n * 1e9)
