-- SPDX-License-Identifier: MIT
-- Reads the file of an object in shared memory, as it lies there, and says whether it is sound: everything that is kept
-- beside the messages, or the holders, must be what they come to. It knows the layout from the headers of
-- runtime/engines/shm, and shares no code with them.

local segment = {}

local LAYOUT <const>, HEAD <const>, CELL <const>, NONE <const> = 8, 280, 64, 0xffffffff
local WAITING <const> = 16 + 64 * 32 -- bytes of the table of waiters
-- of a queue:
local ROOM <const> = 3456 -- the table of processes that wait to send
local SENDING <const>, CAPACITY <const>, SECOND <const>, JOBS <const>, ORDER <const> = 320, 384, 448, 512, 6336
segment.LATCHES = {12, SECOND}
local FREE <const>, FIRST <const>, MORE <const> = 0, 1, 2
local READY <const>, AGAIN <const>, TAKEN <const>, ENDING <const>, DELAYED <const>, DEAD <const> = 0, 1, 2, 3, 4, 5

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

local function waiters(noun, key, first)
  local bytes, states = segment.read(noun, key) or "", {}
  for at = first + 17, first + WAITING, 32 do
    if at + 31 > #bytes then break end
    local state, pid = ("<I4I4"):unpack(bytes, at)
    states[pid] = ({"waiting", "called", "late"})[state & 3]
  end
  return states
end

-- The states of the processes in a lock's or queue's table of waiters, by pid: "waiting", "called" or "late".
function segment.waiters(noun, key)
  return waiters(noun, key, noun == "queue" and JOBS + 64 or HEAD + 16)
end

-- The same of those that wait to send.
function segment.senders(key)
  return waiters("queue", key, ROOM)
end

-- Queues ---------------------------------------------------------------------------------------------------

-- What the two sides have written, the order, and the extents from the first block on.
local function parts_of(bytes)
  local p = {extents = {}, at = {}, order = {}}
  p.sent, p.bytes_sent, p.bytes_seen, p.first_seen, p.used, p.given_seen, p.rover =
    ("<I8I8I8I8I4I4I4"):unpack(bytes, SENDING + 1)
  p.latch, p.changes, p.parked, p.removed, p.received, p.bytes_received, p.first, p.sent_seen, p.given =
    ("<I4I4I4I4I8I8I8I8I4"):unpack(bytes, SECOND + 1)
  p.others = word(bytes, SECOND + 56)
  p.deliveries, p.due, p.again, p.dead, p.ready, p.delayed, p.taken, p.letters, p.deaths, p.slots =
    ("<I8i8I4I4I4I4I4I4I4I4"):unpack(bytes, JOBS + 1)
  local blocks = 2 * ((("<I8"):unpack(bytes, CAPACITY + 1) + 56 + CELL - 1) // CELL)
  p.places = 4
  while p.places - p.places // 4 < blocks // 2 do p.places = p.places * 2 end
  p.holders = ORDER + p.places * 4
  p.index = p.holders + math.min(blocks, 1024) * 16
  p.ids, p.id_slots, p.blocks = p.index + blocks * 4, blocks // 4 + 1, blocks
  local start = (p.ids + p.id_slots * 4 + CELL - 1) // CELL * CELL
  for i = 0, p.places - 1 do p.order[i] = word(bytes, ORDER + i * 4) end
  local block = 0
  while block < blocks do
    local e = {block = block, where = start + block * CELL + 1}
    e.state, e.more, e.type, e.place, e.job, e.size, e.index, e.lower, e.higher =
      ("<I4I4i8I8I8I4I4I4I4"):unpack(bytes, e.where)
    e.value, e.kind = ("<i8"):unpack(bytes, e.where + 40), e.job & 7
    e.slot, e.reason = e.job >> 14 & 0x3ff, e.job >> 24 & 0xff
    e.id_size = ("<I1"):unpack(bytes, e.where + 56 + 6)
    e.front = e.job & 8 ~= 0 and (8 + e.id_size + 15) // 16 * 16 or 0
    e.length, e.state = e.state >> 3, e.state & 7
    assert(e.length > 0 and block + e.length <= blocks, "an extent of no length")
    p.at[block], p.extents[#p.extents + 1] = e, e
    block = block + e.length
  end
  return p
end

-- Does a message begin there? Its sender has counted it, and no receiver has passed it, nor is it a job that is done
-- with its successor.
local function is_message(p, e)
  if e.state ~= FIRST or e.place >= p.sent then return false end
  if e.kind == ENDING then return e.value >= p.sent end
  return e.kind ~= READY or e.place >= p.first
end

-- The text without the front, and all extents: there may be some for a reason that is there no more.
local function text_of(bytes, p, e)
  local parts, left, header, used = {}, e.front + e.size + e.reason, 56, {}
  local piece = e
  repeat
    used[#used + 1] = piece
    local room = math.min(left, piece.length * CELL - header)
    parts[#parts + 1] = bytes:sub(piece.where + header, piece.where + header + room - 1)
    left, header, piece = left - room, 8, piece.more ~= NONE and assert(p.at[piece.more], "a piece is no extent")
  until not piece
  assert(left == 0, "a message without an end")
  return table.concat(parts):sub(e.front + 1, e.front + e.size), used
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

-- All that are in a tree, which has the order that it should have; each knows the oldest below it.
local function check_tree(p, root, kind, before, seen)
  local last
  local function walk(block)
    if block == NONE then return math.maxinteger end
    local e = assert(p.at[block], "a node is no extent")
    assert(e.kind == kind and not seen[block], "a node is of another kind, or twice in the tree")
    seen[block] = true
    local oldest = math.min(walk(e.lower), e.place)
    assert(not last or before(last, e), "the order of a tree")
    last = e
    oldest = math.min(oldest, walk(e.higher))
    assert(kind == DEAD or p.at[e.index].place == oldest, "the oldest of a subtree")
    return oldest
  end
  walk(root)
end

-- Each job is kept where it belongs, and there is nothing else.
local function check_jobs(bytes, messages, p)
  local counts, seen, ids = {[AGAIN] = 0, [TAKEN] = 0, [DELAYED] = 0, [DEAD] = 0}, {}, {}
  check_tree(p, p.again, AGAIN, function(a, b)
    return a.type < b.type or a.type == b.type and a.place < b.place
  end, seen)
  check_tree(p, p.dead, DEAD, function(a, b) return a.index < b.index end, seen)
  for slot = 0, p.id_slots - 1 do
    local link = word(bytes, p.ids + slot * 4)
    while link ~= 0 do
      assert(not ids[link - 1], "an id is twice in the table")
      ids[link - 1] = true
      link = word(bytes, p.at[link - 1].where + 55)
    end
  end
  for _, m in ipairs(messages) do
    local e = m.extent
    if e.kind ~= READY then
      counts[e.kind] = assert(counts[e.kind], "a kind that does not stay") + 1
      assert(e.front == 0 or e.id_size == 0 or ids[e.block], "an id is not in the table")
      ids[e.block] = nil
      if e.kind == TAKEN or e.kind == DELAYED then
        assert(word(bytes, p.index + e.index * 4) == e.block, "a job is not in the index")
        local delayed = e.index < p.delayed
        assert(delayed == (e.kind == DELAYED) and (delayed or e.index >= p.blocks - p.taken), "its part of the index")
        if e.kind == TAKEN then
          assert(e.slot < p.slots and word(bytes, p.holders + e.slot * 16) ~= 0, "no process has taken it")
        elseif e.index > 0 then
          local above = p.at[word(bytes, p.index + (e.index - 1) // 2 * 4)]
          assert(above.value <= e.value and p.due <= e.value, "one that is due later comes before")
        end
      else
        assert(seen[e.block], "a job is in no tree")
        seen[e.block] = nil
      end
    end
  end
  assert(not next(seen) and not next(ids), "what is no job is kept as one")
  assert(counts[AGAIN] == p.ready and counts[TAKEN] == p.taken and counts[DELAYED] == p.delayed
    and counts[DEAD] == p.letters and p.others == p.ready + p.taken + p.delayed, "counts of jobs")
  assert((p.due ~= 0) == (p.delayed > 0), "when the first is due")
end

local function check_queue(bytes)
  local messages, p = segment.messages(bytes)
  local sum, taken, pieces, there, ordered = 0, 0, {}, {}, 0
  assert(p.latch == 0, "the receivers' latch")
  for i, m in ipairs(messages) do
    local place = m.extent.place
    assert(not messages[i - 1] or messages[i - 1].extent.place < place, "two in a place")
    if m.extent.kind == READY then
      assert(m.extent.job == 0 and p.order[place % p.places] == m.extent.block, "a message is not in its place")
      there[place], ordered = true, ordered + 1
    end
    sum = sum + #m[2]
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
  check_jobs(bytes, messages, p)
  assert(p.sent - p.received == ordered and p.bytes_sent - p.bytes_received == sum, "sums")
  assert(p.used - p.given & NONE == taken, "blocks")
  assert(p.sent - p.first_seen >= p.sent - p.first and p.bytes_seen <= p.bytes_received, "what is seen")
end

-- Where the slots of the processes that take jobs begin.
function segment.holders(bytes) return parts_of(bytes).holders end

-- The extents of the jobs that are of that kind: "again", "taken", "delayed" or "dead".
function segment.jobs(bytes, kind)
  local list, number = {}, ({again = AGAIN, taken = TAKEN, delayed = DELAYED, dead = DEAD})[kind]
  for _, m in ipairs(segment.messages(bytes)) do if m.extent.kind == number then list[#list + 1] = m.extent end end
  return list
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
