-- SPDX-License-Identifier: MIT
-- A generator that waits: coroutines of your own work inside tasks, and may call whatever waits.
-- Under ipclua coroutine.wrap is already the one used here; stock Lua gets it as ipc.coroutine.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua generator.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

-- Yields every message with a number; while it waits for the next, only this task waits.
local function numbered(channel)
  return ipc.coroutine.wrap(function()
    local n = 0
    for message in channel:messages() do
      n = n + 1
      coroutine.yield(n, message)
    end
  end)
end

local reader, writer = ipc.stream_channel_pair()

local counting = ipc.task(function()
  for n, message in numbered(reader) do print(n, message) end
end)

for _, word in ipairs { "one", "by", "one" } do
  writer:send(word)
  ipc.sleep(0.01)
end
writer:close()
counting:join()
reader:close()
