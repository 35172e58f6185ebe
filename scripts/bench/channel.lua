-- SPDX-License-Identifier: MIT
-- Messages to a forked process: `oneway` or `roundtrip`, of 64 bytes (raw, json) or a small table; gathered in a buffer
-- of so many bytes, or sent and received so many at a time: `oneway raw buffer 65536`, `oneway raw many 100`. Prints ns
-- per message.
local ipc = require "ipc"
local how, what, together, size = arg[1], arg[2], arg[3], tonumber(arg[4])
local n = how == "oneway" and (together and 1000000 or 200000) or 20000
local message = what == "table" and {id = 17, name = "bench", values = {1, 2.5, "three"}} or ("x"):rep(64)

local ours, theirs = ipc.stream_channel_pair{
  codec = what == "raw" and "raw" or "json", buffer = together == "buffer" and size or nil,
}
local child = ipc.process(function()
  ours:close()
  local got = 0
  if together == "many" then
    while got < n do got = got + #theirs:receive_many(size) end
    theirs:send("all")
    return
  end
  for received in theirs:messages() do
    got = got + 1
    if how == "roundtrip" or got == n then theirs:send(received) end
  end
end)
theirs:close()

local list = {}
for i = 1, together == "many" and size or 0 do list[i] = message end

local function send_many()
  for _ = 1, n // size do ours:send_many(list) end
  ours:receive()
end

local function send_each()
  for i = 1, n do
    ours:send(message)
    if how == "roundtrip" or i == n then ours:receive() end
  end
end

local send = together == "many" and send_many or send_each
local start = ipc.now()
send()
print((ipc.now() - start) / n * 1e9)
ours:close()
child:wait()
