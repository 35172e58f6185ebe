-- SPDX-License-Identifier: MIT
-- timers.lua for cqueues: a coroutine that sleeps is its timer.
local cqueues = require "cqueues"
local n, fired = 100000, 0
local loop = cqueues.new()
local start = os.clock()
for i = 1, n do
  loop:wrap(function()
    cqueues.sleep(i % 10 / 1000)
    fired = fired + 1
  end)
end
assert(loop:loop())
print((os.clock() - start) / n * 1e9)
assert(fired == n)
