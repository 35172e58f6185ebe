-- SPDX-License-Identifier: MIT
-- Channels and a hub with a buffer: messages that are gathered, many at once, larger than the buffer, and the end.
local ipc = require "ipc"

local a <close>, b = ipc.stream_channel_pair {buffer = 2000}
for i = 1, 100 do assert(a:send {number = i}) end
assert(a:flush())
for i = 1, 100 do assert(assert(b:receive(5)).number == i) end
assert(a:send_many {"one", "two", "three"})
local got = {}
while #got < 3 do
  for _, message in ipairs(assert(b:receive_many(10, 5))) do got[#got + 1] = message end
end
assert(table.concat(got) == "onetwothree")

local text = ("x"):rep(300000)
local sender = ipc.task(function()
  assert(a:send("before"))
  assert(a:send_many {text, "between", text})
  return assert(a:send("behind"))
end)
for _, expected in ipairs {"before", text, "between", text, "behind"} do assert(assert(b:receive(5)) == expected) end
assert(select(2, assert(sender:join())))

local hub <close> = ipc.multi_stream_channel {buffer = 1000}
local client <close> = assert(hub:create_client())
for i = 1, 20 do assert(hub:send(i) == 1) end
assert(hub:send_many({"a", "b"}, 1) and hub:flush())
for i = 1, 20 do assert(client:receive(5) == i) end
assert(#assert(client:receive_many(5, 5)) >= 1)
assert(client:send_many {1, 2})
assert(hub:receive_many(2, 5)[1] == 1)
assert(a:send("the last"))
b:close()
