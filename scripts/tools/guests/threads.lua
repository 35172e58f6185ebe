-- SPDX-License-Identifier: MIT
-- Lua states in threads: their memory by the allocator of this one; then ipc.so in several at once, of which one
-- has it.

local states = require "states"

local WORK <const> = "local t = {} for i = 1, 200000 do t[i % 1000] = {tostring(i), ('x'):rep(i % 300)} end"
local USE <const> = ("package.cpath = %q "):format(package.cpath) .. [[
  local ipc = require "ipc"
  local ticks = 0
  ipc.timer(0.001, function(t) ticks = ticks + 1 if ticks == 3 then t:stop() end end)
  ipc.task(function() ipc.sleep(0.001) end):join()
  ipc.run()
  return ticks
]]

for _, made_here in ipairs{false, true} do
  for _, closed_here in ipairs{false, true} do
    print("did their work", states.lanes(4, WORK, made_here, closed_here), made_here, closed_here)
  end
end

for _ = 1, 10 do
  local had, refused = 0, 0
  for _, text in ipairs(states.at_once(4, USE)) do
    had = had + (text == "3" and 1 or 0)
    refused = refused + (text:find("another Lua state", 1, true) and 1 or 0)
  end
  print("had ipc, were refused", had, refused)
end
