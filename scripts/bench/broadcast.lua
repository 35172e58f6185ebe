-- SPDX-License-Identifier: MIT
-- One message to all clients of a hub: `broadcast.lua CLIENTS raw|table`, 64 bytes or a small table. The other ends are
-- held by broadcast.c. So few messages that no sender has to wait for room. Prints ns per client and message.
local ipc = require "ipc"
local clients, what, rounds = tonumber(arg[1]), arg[2], 200
local message = what == "table" and {id = 17, name = "bench", values = {1, 2.5, "three"}} or ("x"):rep(64)

local path = os.tmpname()
os.remove(path)
local hub <close> = ipc.multi_stream_channel {codec = what == "raw" and "raw" or "json"}
assert(hub:listen(path))
local reader = assert(ipc.process {"build/bench/broadcast", "read", path, clients, stdout = "pipe"})
assert(reader.stdout:receive() == "joined")
while #hub:clients() < clients do ipc.sleep(0.001) end

local start, reached = ipc.now(), 0
for _ = 1, rounds do reached = reached + hub:send(message) end
print((ipc.now() - start) / reached * 1e9)
assert(reached == rounds * clients)
hub:close()
assert(reader:wait())
