-- SPDX-License-Identifier: MIT
-- Many messages at once, where memory is short in the middle: what was sent is a beginning of the list, and what was
-- received, by however many calls, is all of that in order.
local ipc = require "ipc"

local list = {}
for i = 1, 40 do list[i] = ("%02d"):format(i) .. ("x"):rep(i * 3) end

-- Sends what is left of the list, until all is sent.
local function send_all(q)
  local sent = 0
  for _ = 1, 50 do
    local before = #q
    local ok, a, b, c, d = pcall(q.send_many, q, 1, table.move(list, sent + 1, #list, 1, {}), 5)
    local n = not ok and #q - before or a and #list - sent or d or c or b
    sent = sent + n
    if sent == #list then return end
  end
  error("they cannot be sent")
end

local function receive_all(q)
  local got = 0
  for round = 1, 100 do
    local ok, messages, types = pcall(q.receive_many, q, 7 + round % 3 * 20, nil, 0)
    if ok and not messages and types == "timeout" then
      if got ~= #list then os.exit(3) end
      return
    end
    for i = 1, ok and messages and #messages or 0 do
      got = got + 1
      if messages[i] ~= list[got] or types[i] ~= 1 then os.exit(4) end
    end
  end
  error("they cannot be received")
end

local function check(q)
  send_all(q)
  receive_all(q)
  local waiter = ipc.task(function() return q:receive_many(9, nil, 5) end)
  ipc.yield()
  assert(q:send_many(2, {"a", "b"}, 5))
  assert(waiter:join(5))
  while q:receive(0, 0) do end
end

local q <close> = assert(ipc.queue(ipc.private, {codec = "raw", capacity = 100000}))
check(q)
