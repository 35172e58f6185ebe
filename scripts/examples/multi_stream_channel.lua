-- SPDX-License-Identifier: MIT
-- A hub: one end of many channels. What is sent goes to all or to one, what is received comes from any, and a client
-- that does not read stops no other. See doc/multi_stream_channel.md, and chat.lua for a hub at a path.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua multi_stream_channel.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local hub <close> = ipc.multi_stream_channel {backpressure = "drop_oldest", limit = 10000}

-- Three bidders, each a process with a client's channel.
local function bidder(client, most)
  for lot in client:messages() do
    if lot.sold then return end
    client:send {yes = lot.price <= most}
  end
end

for _, most in ipairs {30, 10, 20} do
  local client = assert(hub:create_client())
  ipc.process(function() bidder(client, most) end)
  client:close() -- this process's copy
end

-- An auction: the price goes up until only one bids.
local price, bids = 0
repeat
  price, bids = price + 10, {}
  for _ = 1, hub:send {price = price} do -- as many answers as it went to
    local answer, who = hub:receive()
    if answer.yes then bids[#bids + 1] = who end
  end
  table.sort(bids)
  print(price, "bid: " .. table.concat(bids, ", "))
until #bids == 1
hub:send({sold = true}, bids[1]) -- to one
hub:send {sold = true}           -- to all

-- A client that does not read gets the latest only, and the sender never waits.
local sleeper = hub:create_client()
local text = ("x"):rep(1000)
for i = 1, 1000 do hub:send {n = i, text = text} end
print("forgotten for the sleeper:", hub:stat().dropped > 0)
local got, last = 0
repeat got, last = got + 1, sleeper:receive().n until last == 1000
print("and it gets the last:", last, got < 1000)
