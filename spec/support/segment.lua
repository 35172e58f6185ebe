-- SPDX-License-Identifier: MIT
-- Reads the file of an object in shared memory, as it lies there, and says whether it is sound: everything that is kept
-- beside the messages, or the holders, must be what they come to. It knows the layout from the headers of
-- runtime/engines/shm, and shares no code with them.

local segment = {}

local LAYOUT <const>, HEAD <const>, CELL <const>, NONE <const> = 3, 280, 64, 0xffffffff
local WAITING <const> = 16 + 64 * 32 -- bytes of the table of waiters
local FREE <const>, FIRST <const>, MORE <const> = 0, 1, 2

function segment.path(noun, key)
  return ("/dev/shm/ipclua.%s.%s"):format(noun, (key.name:gsub("/", "+")))
end

-- The bytes of the file; nil if there is none.
function segment.read(noun, key)
  local file = io.open(segment.path(noun, key), "rb")
  if not file then return nil end
  local bytes = file:read("a")
  file:close()
  return bytes
end

function segment.head(bytes)
  local h, _ = {}, nil
  _, h.layout, h.latch, h.size, _, h.creator, h.removed, h.changes, h.parked, h.told =
    ("<I8I4I4I8I8I4I4I4I4I4"):unpack(bytes)
  assert(h.layout == LAYOUT, "another layout: this file is to be brought up to date")
  assert(h.size == #bytes, "size")
  return h
end

-- A waiter sleeps on it, or is about to and has looked in vain.
function segment.parked(noun, key)
  return (("<I4"):unpack(segment.read(noun, key), 45)) ~= 0
end

-- A waiter sleeps on the latch.
function segment.contended(noun, key)
  return ("<I4"):unpack(segment.read(noun, key), 13) >> 31 == 1
end

-- The states of the processes in a lock's table of waiters, by pid: "waiting", "called" or "late".
function segment.waiters(noun, key)
  local bytes, states = segment.read(noun, key) or "", {}
  for at = HEAD + 33, HEAD + 16 + WAITING, 32 do
    if at + 31 > #bytes then break end
    local word, pid = ("<I4I4"):unpack(bytes, at)
    states[pid] = ({"waiting", "called", "late"})[word & 3]
  end
  return states
end

-- Queues ---------------------------------------------------------------------------------------------------

local function runs_of(bytes)
  local runs, at, list = {}, 0, {}
  local count = (#bytes - 384) // CELL
  while at < count do
    local where = 385 + at * CELL
    local r = {cell = at}
    r.state, r.more, r.next, r.prev, r.type, r.sequence, r.size = ("<I4I4I4I4i8I8I4"):unpack(bytes, where)
    r.length, r.state = r.state >> 3, r.state & 7
    assert(r.length > 0 and at + r.length <= count, "a run of no length")
    r.where = where
    runs[at], list[#list + 1] = r, r
    at = at + r.length
  end
  return runs, list
end

local function text_of(bytes, runs, r)
  local parts, left, header, used = {}, r.size, 40, {}
  local piece = r
  repeat
    used[#used + 1] = piece
    local room = math.min(left, piece.length * CELL - header)
    parts[#parts + 1] = bytes:sub(piece.where + header, piece.where + header + room - 1)
    left, header, piece = left - room, 8, left > room and assert(runs[piece.more], "a piece is no run")
  until left == 0
  return table.concat(parts), used
end

-- The messages that are there, {type, text} in the order of their numbers, whatever else is half-done; and all runs.
function segment.messages(bytes)
  local runs, list = runs_of(bytes)
  local messages = {}
  for _, r in ipairs(list) do
    if r.state == FIRST then
      local text, used = text_of(bytes, runs, r)
      messages[#messages + 1] = {r.type, text, run = r, pieces = used}
    end
  end
  table.sort(messages, function(a, b) return a.run.sequence < b.run.sequence end)
  return messages, list
end

local function check_queue(bytes)
  local first, last, _, unused, count, sum, sequence = ("<I4I4I4I4I8I8I8"):unpack(bytes, 337)
  local messages, list = segment.messages(bytes)
  local wanted, free, pieces = 0, 0, {}
  for i, m in ipairs(messages) do
    local before, after = messages[i - 1], messages[i + 1]
    assert(not before or m.run.prev == before.run.cell, "prev of a message") -- that of the first is not kept
    assert(m.run.next == (after and after.run.cell or NONE), "next of a message")
    assert(m.run.sequence <= sequence and not (before and before.run.sequence == m.run.sequence), "numbers")
    wanted = wanted + #m[2]
    for j = 2, #m.pieces do
      assert(m.pieces[j].state == MORE and not pieces[m.pieces[j]], "a piece of two messages")
      pieces[m.pieces[j]] = true
    end
  end
  for _, r in ipairs(list) do
    if r.state == FREE then free = free + r.length
    elseif r.state == MORE then assert(pieces[r], "a piece of no message")
    else assert(r.state == FIRST, "state of a run") end
  end
  assert(first == (messages[1] and messages[1].run.cell or NONE), "first")
  assert(last == (messages[1] and messages[#messages].run.cell or NONE), "last")
  assert(count == #messages and sum == wanted and unused == free, "sums")
end

-- Locks ----------------------------------------------------------------------------------------------------

-- What is written there: permits taken, whether a dead holder is to be told, and {pid, count} of the holders.
function segment.permits(bytes)
  local p, holders = {}, {}
  p.max, p.taken, p.abandoned, p.used = ("<I4I4I4I4"):unpack(bytes, HEAD + 1)
  for i = 0, p.used - 1 do
    local pid, count = ("<I4I4"):unpack(bytes, HEAD + 17 + WAITING + i * 16)
    if count > 0 then holders[#holders + 1] = {pid, count} end
  end
  p.holders = holders
  return p
end

local function check_permits(bytes)
  local p = segment.permits(bytes)
  local sum = 0
  for _, holder in ipairs(p.holders) do sum = sum + holder[2] end
  assert(p.taken == sum and sum <= p.max, "taken")
  assert(p.abandoned <= 1, "abandoned")
end

local checks = {queue = check_queue, mutex = check_permits, semaphore = check_permits, memory = function() end}

-- Raises unless it is sound, and no process is inside.
function segment.check(noun, key)
  local bytes = assert(segment.read(noun, key))
  local head = segment.head(bytes)
  if noun ~= "memory" then -- there, only a waiter takes the latch, and nothing is told later
    assert(head.latch == 0, "the latch")
    assert(head.told == head.changes, "not all have been told")
  end
  checks[noun](bytes)
end

return segment
