-- SPDX-License-Identifier: MIT
-- A System V queue: `one` process, a `pair` of processes one way, or `roundtrip`; codec raw, json or lua. raw carries
-- 64 bytes, the others a small table. Prints ns per message.
local ipc = require "ipc"
local how, codec = arg[1], arg[2] or "raw"
local n = how == "roundtrip" and 50000 or 200000
local message = codec == "raw" and ("x"):rep(64) or {id = 17, name = "bench", values = {1, 2.5, "three"}}

local file = os.tmpname()
local key = ipc.file_key(file)
local there, back = ipc.queue(key, {codec = codec}), ipc.queue(key:clone(), {codec = codec})
local now = ipc.now
local start

if how == "one" then
  start = now()
  for _ = 1, n do
    there:send(1, message)
    there:receive(1)
  end
else
  local child = ipc.process(function(channel)
    channel:send("ready")
    for i = 1, n do
      local got = there:receive(1)
      if how == "roundtrip" or i == n then back:send(1, got) end
    end
  end)
  child.channel:receive()
  start = now()
  for i = 1, n do
    there:send(1, message)
    if how == "roundtrip" or i == n then back:receive(1) end
  end
end
print((now() - start) / n * 1e9)
there:remove()
back:remove()
os.remove(file)
