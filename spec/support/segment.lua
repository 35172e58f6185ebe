-- SPDX-License-Identifier: MIT
-- Reads the file of an object in shared memory, as it lies there, and says whether it is sound: everything that is kept
-- beside the messages, or the holders, must be what they come to. It knows the layout from the headers of
-- runtime/engines/shm, and shares no code with them.

local segment = {}

local LAYOUT <const>, HEAD <const>, CELL <const>, NONE <const> = 5, 280, 64, 0xffffffff
local WAITING <const> = 16 + 64 * 32 -- bytes of the table of waiters
local SENDING <const>, CAPACITY <const>, SECOND <const>, ORDER <const> = 320, 384, 448, 2624 -- of a queue
segment.LATCHES = {12, SECOND}
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

local function word(bytes, at) return (("<I4"):unpack(bytes, at + 1)) end

-- A waiter sleeps on it, or is about to and has looked in vain.
function segment.parked(noun, key)
  local bytes = segment.read(noun, key)
  return word(bytes, 44) ~= 0 or noun == "queue" and word(bytes, SECOND + 8) ~= 0
end

-- A waiter sleeps on the latch, or on the second one.
function segment.contended(noun, key)
  local bytes = segment.read(noun, key)
  return (word(bytes, 12) | (noun == "queue" and word(bytes, SECOND) or 0)) >> 31 == 1
end

-- The states of the processes in a lock's table of waiters, by pid: "waiting", "called" or "late".
function segment.waiters(noun, key)
  local bytes, states = segment.read(noun, key) or "", {}
  for at = HEAD + 33, HEAD + 16 + WAITING, 32 do
    if at + 31 > #bytes then break end
    local state, pid = ("<I4I4"):unpack(bytes, at)
    states[pid] = ({"waiting", "called", "late"})[state & 3]
  end
  return states
end

-- Queues ---------------------------------------------------------------------------------------------------

-- What the two sides have written, the order, and the extents from the first block on.
local function parts_of(bytes)
  local p = {extents = {}, at = {}, order = {}}
  p.sent, p.bytes_sent, p.bytes_seen, p.first_seen, p.used, p.given_seen, p.rover =
    ("<I8I8I8I8I4I4I4"):unpack(bytes, SENDING + 1)
  p.latch, p.changes, p.parked, p.removed, p.received, p.bytes_received, p.first, p.sent_seen, p.given =
    ("<I4I4I4I4I8I8I8I8I4"):unpack(bytes, SECOND + 1)
  local blocks = 2 * ((("<I8"):unpack(bytes, CAPACITY + 1) + 56 + CELL - 1) // CELL)
  p.places = (#bytes - ORDER - blocks * CELL) // 4
  for i = 0, p.places - 1 do p.order[i] = word(bytes, ORDER + i * 4) end
  local block = 0
  while block < blocks do
    local e = {block = block, where = ORDER + p.places * 4 + block * CELL + 1}
    e.state, e.more, e.type, e.place, e.job, e.size = ("<I4I4i8I8I8I4"):unpack(bytes, e.where)
    e.length, e.state = e.state >> 3, e.state & 7
    assert(e.length > 0 and block + e.length <= blocks, "an extent of no length")
    p.at[block], p.extents[#p.extents + 1] = e, e
    block = block + e.length
  end
  return p
end

-- Does a message begin there? Its sender has counted it, and no receiver has passed it.
local function is_message(p, e) return e.state == FIRST and e.place >= p.first and e.place < p.sent end

local function text_of(bytes, p, e)
  local parts, left, header, used = {}, e.size, 56, {}
  local piece = e
  repeat
    used[#used + 1] = piece
    local room = math.min(left, piece.length * CELL - header)
    parts[#parts + 1] = bytes:sub(piece.where + header, piece.where + header + room - 1)
    left, header, piece = left - room, 8, left > room and assert(p.at[piece.more], "a piece is no extent")
  until left == 0
  return table.concat(parts), used
end

-- A queue that was removed says so in two places; the first of them counts.
function segment.is_removed(bytes) return word(bytes, SECOND + 12) ~= 0 end

-- The messages that are there, {type, text} in their order, whatever else is half-done; and all parts.
function segment.messages(bytes)
  local p = parts_of(bytes)
  local messages = {}
  for _, e in ipairs(p.extents) do
    if is_message(p, e) then
      local text, used = text_of(bytes, p, e)
      messages[#messages + 1] = {e.type, text, extent = e, pieces = used}
    end
  end
  table.sort(messages, function(a, b) return a.extent.place < b.extent.place end)
  return messages, p
end

local function check_queue(bytes)
  local messages, p = segment.messages(bytes)
  local sum, taken, pieces, there = 0, 0, {}, {}
  assert(p.latch == 0, "the receivers' latch")
  for i, m in ipairs(messages) do
    local place = m.extent.place
    assert(not messages[i - 1] or messages[i - 1].extent.place < place, "two in a place")
    assert(p.order[place % p.places] == m.extent.block, "a message is not in its place")
    assert(m.extent.job == 0, "a message is no job")
    sum, there[place] = sum + #m[2], true
    for j, piece in ipairs(m.pieces) do
      assert(j == 1 or piece.state == MORE and not pieces[piece], "a piece of two messages")
      pieces[piece], taken = true, taken + piece.length
    end
  end
  for _, e in ipairs(p.extents) do
    assert(e.state == FREE or e.state == FIRST or e.state == MORE, "state of an extent")
    assert(e.state ~= MORE or pieces[e], "a piece of no message")
  end
  assert(p.sent - p.first <= p.places, "more places than there are")
  for place = p.first, p.sent - 1 do
    assert(there[place] or p.order[place % p.places] == NONE, "a place of no message")
  end
  assert(p.sent - p.received == #messages and p.bytes_sent - p.bytes_received == sum, "sums")
  assert(p.used - p.given & NONE == taken, "blocks")
  assert(p.sent - p.first_seen >= p.sent - p.first and p.bytes_seen <= p.bytes_received, "what is seen")
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
