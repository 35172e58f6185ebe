-- SPDX-License-Identifier: MIT
-- Select: one task that serves two channels, a clock and an end, whichever comes first.
-- See doc/task.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua select.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local orders, kitchen = ipc.stream_channel_pair()
local calls, phone = ipc.stream_channel_pair()

local guests = ipc.task(function()
  for _, dish in ipairs { "soup", "fish", "cake" } do
    kitchen:send(dish)
    ipc.sleep(0.02)
  end
  phone:send { from = "the bank" }
end)

local clock <close> = ipc.timer(0.5) -- without a function: one waits for its ticks
local served = 0
while true do
  -- Exactly one case completes. What the others would have received stays where it is.
  local case, message = ipc.select({ order = orders, call = calls, tick = clock }, 5)
  if case == "order" then
    served = served + 1
    print("served", message)
  elseif case == "call" then
    print("hung up on", message.from)
  else
    print("closing time after " .. served .. " dishes", case)
    break
  end
end
guests:join()
for _, channel in ipairs { orders, kitchen, calls, phone } do channel:close() end
