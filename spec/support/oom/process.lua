-- SPDX-License-Identifier: MIT
-- A forked child, a message each way, and its end.
local ipc = require "ipc"

local child <close> = assert(ipc.process(function(channel, factor)
  for message in channel:messages() do
    if not channel:send(message * factor) then break end
  end
end, 3))
assert(child.channel:send(14))
assert(child.channel:receive() == 42)
child.channel:close()
assert(child:wait())
