-- SPDX-License-Identifier: MIT
-- TCP ports of 127.0.0.1 that are free: ports(3) → three numbers. They are not of those that the kernel gives to
-- connections, so that no other program takes them by chance before they are used.

local peer = require "spec.support.peer"

return function(count)
  local text = peer.output(([[python3 -c 'import random, socket
held = []
while len(held) < %d:
    s = socket.socket()
    try:
        s.bind(("127.0.0.1", random.randrange(10000, 30000)))
        held.append(s)
    except OSError:
        pass
print(*[s.getsockname()[1] for s in held])']]):format(count))
  local numbers = {}
  for number in text:gmatch("%d+") do numbers[#numbers + 1] = math.tointeger(tonumber(number)) end
  return table.unpack(numbers)
end
