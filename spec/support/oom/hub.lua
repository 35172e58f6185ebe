-- SPDX-License-Identifier: MIT
-- Hubs and handles: clients by a pair and by a path, a message to all, to one and from any, an end; a channel and
-- a file that travel; a slow client.
local ipc = require "ipc"

local path = ("/tmp/ipclua-oom.%d"):format(ipc.pid())
local hub <close> = ipc.multi_stream_channel {backpressure = "drop_oldest", limit = 1000}
assert(hub:listen(path))
local a <close> = assert(hub:create_client())
local b <close> = assert(ipc.connect(path))
assert(b:send {from = "b"})
local message, client = hub:receive(5)
assert(message.from == "b", client)
assert(#hub:clients() == 2 and hub:send {to = "all"} == 2)
assert(a:receive(5).to == "all" and b:receive(5).to == "all")
assert(hub:send({to = "one"}, client) and b:receive(5).to == "one")

local waiting = ipc.task(function()
  local got, who = hub:receive(5)
  return assert(got), who
end)
ipc.yield()
assert(a:send("late"))
assert(select(2, assert(waiting:join())) == "late")

local text = ("x"):rep(20000)
for _ = 1, 30 do assert(hub:send(text) == 2) end
assert(hub:stat().dropped > 0)
assert(a:receive(5) == text)

local ours <close>, theirs = ipc.stream_channel_pair()
local file <close> = io.tmpfile()
assert(ours:send_handle(file))
assert(ours:send_handle(theirs))
local got <close> = assert(theirs:receive_handle(5))
assert(io.type(got) == "file")
local channel <close> = assert(theirs:receive_handle(5))
assert(ours:send("to the handle"))
assert(channel:receive(5) == "to the handle")
theirs:close()
hub:close()
