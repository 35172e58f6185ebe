-- SPDX-License-Identifier: MIT
-- A queue: `one` process, or that with a hundred messages at a time, `many`, or with each message taken as a job, read
-- and done, `jobs`; two `tasks`; a `pair` of processes one way, or `roundtrip`. On sysv, shm or memory (no key);
-- codec raw, json or lua: raw carries 64 bytes, or as many as said, the others a small table. Prints ns per message.
--   queue.lua HOW ENGINE [CODEC [SIZE]]
local ipc = require "ipc"
local how, engine, codec, size = arg[1], arg[2] or "sysv", arg[3] or "raw", tonumber(arg[4]) or 64
local n = how == "roundtrip" and 50000 or size > 4096 and 20000 or 200000
local message = codec == "raw" and ("x"):rep(size) or {id = 17, name = "bench", values = {1, 2.5, "three"}}

local file = os.tmpname()
local name = "bench" .. file:gsub("/", ".")
local keys = {sysv = ipc.file_key(file), shm = ipc.shm_key(name), memory = ipc.private}
local others = {sysv = keys.sysv:clone(), shm = ipc.shm_key(name .. ".back"), memory = ipc.private}
local there, back = ipc.queue(keys[engine], {codec = codec}), ipc.queue(others[engine], {codec = codec})
local now = ipc.now
local start

if how == "one" then
  start = now()
  for _ = 1, n do
    there:send(1, message)
    there:receive() -- of any type, as the peers do
  end
elseif how == "many" then
  local list = {}
  for i = 1, 100 do list[i] = message end
  start = now()
  for _ = 1, n / #list do
    there:send_many(1, list)
    there:receive_many(#list)
  end
elseif how == "jobs" then
  start = now()
  for _ = 1, n do
    there:send(1, message)
    local job = there:take()
    local _ = job.message -- which receive returns, too
    job:done()
  end
elseif how == "tasks" then
  start = now()
  local reader = ipc.task(function()
    for _ = 1, n do there:receive(1) end
  end)
  for _ = 1, n do there:send(1, message) end
  reader:join()
else
  local child = ipc.process(function(channel)
    channel:send("ready")
    for i = 1, n do
      local got = there:receive(1)
      if how == "roundtrip" or i == n then back:send(1, got) end
    end
  end)
  child.channel:receive()
  start = now()
  for i = 1, n do
    there:send(1, message)
    if how == "roundtrip" or i == n then back:receive(1) end
  end
end
print((now() - start) / n * 1e9)
there:remove()
back:remove()
os.remove(file)
