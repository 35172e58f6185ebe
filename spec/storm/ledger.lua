-- SPDX-License-Identifier: MIT
-- Processes that send and receive through one queue, killed and stopped at any instruction: no message is torn, there
-- twice, or out of its sender's order; none is lost but by a receiver that died with it.
--   open()   opens the queue, raw; size: of the largest message; comes_back: one that was handed to a process that is
--            stopped or killed comes back to its place, when others may have got younger ones

local ipc = require "ipc"
local weather = require "spec.storm.weather"

local SENDERS <const>, RECEIVERS <const> = 3, 3

local function body(sender, n, size)
  return ("%d:%d:"):format(sender, n) .. string.char(97 + n % 26):rep((n * 7919 + sender * 31) % (size - 20))
end

local function send_all(channel, open, size, sender, n)
  local q = assert(open())
  while true do
    n = n + 1
    channel:send(n) -- about to be sent
    assert(q:send(sender, body(sender, n, size), weather.PATIENCE))
    channel:send(-n) -- accepted
  end
end

local function receive_all(channel, open, size)
  local q = assert(open())
  while true do
    local message, type = q:receive(0, weather.PATIENCE)
    if not message then error(type) end
    local sender, n = message:match("^(%d+):(%d+):")
    local whole = n and message == body(tonumber(sender), tonumber(n), size)
    if not whole then return channel:send("torn: " .. message:sub(1, 40)) end
    channel:send {tonumber(sender), tonumber(n)}
  end
end

-- What was sent, accepted and received.
local function new_books(comes_back)
  local books = {sent = {}, accepted = {}, got = {}, last = {}, total = 0, late = 0}
  for s = 1, SENDERS do books.sent[s], books.accepted[s], books.got[s] = 0, {}, {} end

  function books.note(receiver, s, n)
    local last = books.last[receiver]
    if books.got[s][n] then error(("%d of %d came twice"):format(n, s), 0) end
    books.got[s][n], books.total = true, books.total + 1
    if n > (last[s] or 0) then
      last[s] = n
    elseif comes_back then
      books.late = books.late + 1
    else
      error(("%d of %d after %d"):format(n, s, last[s]), 0)
    end
  end

  function books.missing()
    local missing = 0
    for s = 1, SENDERS do
      for n in pairs(books.accepted[s]) do
        if not books.got[s][n] then missing = missing + 1 end
      end
    end
    return missing
  end
  return books
end

local function drain(q, books, size)
  books.last[0] = {}
  for message in function() return (q:receive(0, 0)) end do
    local s, n = message:match("^(%d+):(%d+):")
    assert(body(tonumber(s), tonumber(n), size) == message, "torn at the end")
    books.note(0, tonumber(s), tonumber(n))
  end
end

-- Until the limit (weather.lua). Returns {kills =, stops =, steps =}; the queue is empty then.
return function(limit, open, size, comes_back)
  local q = assert(open())
  local books = new_books(comes_back)

  local function start(slot)
    if slot <= SENDERS then return ipc.process(send_all, open, size, slot, books.sent[slot]) end
    books.last[slot] = {}
    return ipc.process(receive_all, open, size)
  end

  local said = {}
  for slot = 1, SENDERS + RECEIVERS do said[slot] = 0 end

  local function attend(slot, child)
    for message in child.channel:messages() do
      said[slot] = said[slot] + 1
      if type(message) == "string" then error(message, 0) end
      if slot > SENDERS then books.note(slot, message[1], message[2])
      elseif message > 0 then books.sent[slot] = message
      else books.accepted[slot][-message] = true end
    end
  end

  local seen = weather.storm(limit, SENDERS + RECEIVERS, start, attend, function(slot) return said[slot] end)
  drain(q, books, size)
  local missing, deaths = books.missing(), 0
  for slot = SENDERS + 1, SENDERS + RECEIVERS do deaths = deaths + seen.deaths[slot] end
  assert(missing <= deaths, ("%d lost, %d receivers died"):format(missing, deaths))
  assert(books.late <= deaths + seen.stops, ("%d late, %d receivers died"):format(books.late, deaths))
  assert(q:stat().bytes == 0, "bytes of no message")
  seen.steps = books.total
  return seen
end
