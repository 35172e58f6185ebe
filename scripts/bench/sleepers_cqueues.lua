-- SPDX-License-Identifier: MIT
-- sleepers.lua for cqueues.
local cqueues = require "cqueues"
local n = 100000

local function resident()
  local file = assert(io.open("/proc/self/statm"))
  local _, pages = file:read("n", "n")
  file:close()
  return pages * 4096
end

local loop = cqueues.new()
collectgarbage()
local before = resident()
for _ = 1, n do loop:wrap(cqueues.sleep, 1000) end
loop:step(0.01)
print((resident() - before) / n)
os.exit(0)
