-- SPDX-License-Identifier: MIT
-- Messages to a forked process: `oneway` or `roundtrip`, of 64 bytes (raw, json) or a small table. Prints ns per
-- message.
local ipc = require "ipc"
local how, what = arg[1], arg[2]
local n = how == "oneway" and 200000 or 20000
local message = what == "table" and {id = 17, name = "bench", values = {1, 2.5, "three"}} or ("x"):rep(64)

local ours, theirs = ipc.stream_channel_pair{codec = what == "raw" and "raw" or "json"}
local child = ipc.process(function()
  ours:close()
  local got = 0
  for received in theirs:messages() do
    got = got + 1
    if how == "roundtrip" or got == n then theirs:send(received) end
  end
end)
theirs:close()

local start = ipc.now()
for i = 1, n do
  ours:send(message)
  if how == "roundtrip" or i == n then ours:receive() end
end
print((ipc.now() - start) / n * 1e9)
ours:close()
child:wait()
