-- SPDX-License-Identifier: MIT
-- Memory in a file: 64-bit integers, each read or written by one system call, so no death leaves half of one. For what
-- is guarded by a file lock.

local Slots = {}

function Slots.__index(slots, i)
  if i == "add" then return Slots.add end
  local file = Slots[slots]
  file:seek("set", i * 8)
  return (("<i8"):unpack(file:read(8)))
end

function Slots.__newindex(slots, i, value)
  local file = Slots[slots]
  file:seek("set", i * 8)
  assert(file:write(("<i8"):pack(value)))
end

-- In two steps: for one process at a time.
function Slots.add(slots, i, n)
  slots[i] = slots[i] + n
  return slots[i]
end

-- Opens the file, which has so many slots, or will have them.
return function(path, count)
  local file = io.open(path, "r+b")
  if not file then
    local new <close> = assert(io.open(path, "wb"))
    assert(new:write(("<i8"):pack(0):rep(count)))
    file = assert(io.open(path, "r+b"))
  end
  file:setvbuf("no")
  local slots = setmetatable({}, Slots)
  Slots[slots] = file
  return slots
end
