-- SPDX-License-Identifier: MIT
-- Select with cases of all kinds, cancellation, shields, and tasks that are left at the end of the program.
local ipc = require "ipc"

local function closing(fn)
  return setmetatable({}, {__close = fn})
end

local function clean_up()
  ipc.shield(function() ipc.sleep(0.0001) end)
end

local t = ipc.task(function()
  local _ <close> = closing(clean_up)
  for _ in coroutine.wrap(function()
    local _ <close> = closing(clean_up)
    ipc.sleep(1000)
  end) do end
end)
ipc.yield()
t:cancel()
t:join()

assert(ipc.shield(function(...) return ... end, 3) == 3)
ipc.scope(function(scope)
  scope:task(ipc.sleep, 1000)
  ipc.yield()
  scope:cancel()
end)

local a, b = ipc.stream_channel_pair()
local q = ipc.queue(ipc.private)
q:send(1, "message")
assert(ipc.select({b, {a, "send_handle", io.stdout}, got = q, more = {q, "receive", 7}}, 5))
pcall(ipc.select, {b, {a, "send_handle", io.stdout}, 5})
pcall(ipc.select, {b, {a, "send", 5, 1}})

for _ = 1, 3 do
  ipc.task(function()
    local _ <close> = closing(clean_up)
    ipc.sleep(1000)
  end):detach()
end
ipc.yield()
