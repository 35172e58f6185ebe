-- SPDX-License-Identifier: MIT
-- Processes: work on several CPUs at once, an exit code, and a child that is told to stop.
-- See doc/process.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua process.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local function primes_between(channel, first, last)
  local found = 0
  for n = math.max(first, 2), last do
    local prime = true
    for d = 2, math.floor(n ^ 0.5) do
      if n % d == 0 then prime = false break end
    end
    if prime then found = found + 1 end
  end
  channel:send(found)
end

-- Both children run at the same time; each answers over its own channel.
local left <close> = ipc.process(primes_between, 1, 30000)
local right <close> = ipc.process(primes_between, 30001, 60000)
print("primes below 60000:", left.channel:receive() + right.channel:receive())
print(left:wait())

-- wait() answers as os.execute does.
local quitter <close> = ipc.process(function() os.exit(3) end)
print(quitter:wait())

local sleeper <close> = ipc.process(function() ipc.sleep(3600) end)
print(sleeper:wait(0.05))
sleeper:signal("KILL")
print(sleeper:wait())
