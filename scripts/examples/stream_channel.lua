-- SPDX-License-Identifier: MIT
-- A stream channel: two connected ends that carry Lua values, here between two tasks.
-- See doc/stream_channel.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua stream_channel.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local shop, customer = ipc.stream_channel_pair()
local prices <const> = { bread = 3.20, milk = 1.10 }

-- messages() ends when the other side is closed.
local seller = ipc.task(function()
  for question in shop:messages() do
    shop:send { item = question.item, total = (prices[question.item] or 0) * question.count }
  end
  return "closed for today"
end)

for item, count in ("bread 2, milk 10"):gmatch("(%a+) (%d+)") do
  customer:send { item = item, count = tonumber(count) }
  local answer = customer:receive(1)
  print(("%s: %.2f"):format(answer.item, answer.total))
end

-- Nothing was asked, so nothing is answered: a timeout is a result, not an error.
print(customer:receive(0))

customer:close()
print(select(2, seller:join()))
shop:close()
