-- SPDX-License-Identifier: MIT
-- Starts a program and waits for its end: ns per program. `spawn.lua N`: so many at a time. `spawn.lua 1 MB`: from a
-- process that has so many megabytes.
local ipc = require "ipc"
local lanes, ballast, n = tonumber(arg[1] or 1), nil, 1000
if arg[2] then ballast = ("x"):rep(tonumber(arg[2]) << 20) end

local function work()
  for _ = 1, n // lanes do assert(ipc.process{"true"}):wait() end
end

local start = ipc.now()
if lanes == 1 then
  work()
else
  ipc.scope(function(scope)
    for _ = 1, lanes do scope:task(work) end
  end)
end
print((ipc.now() - start) / n * 1e9)
assert(not ballast or #ballast > 0)
