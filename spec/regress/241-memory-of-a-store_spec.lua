-- SPDX-License-Identifier: MIT
-- Each further shared data that a process had open took 2 MiB of its memory: the database makes lists for an
-- environment, and the C library filled them with zeros where memory had been used before. And each private one looked
-- at the directories of all the others.

local ipc = require "ipc"

local STORES <const> = 50

-- KiB of this process that no file has.
local function anonymous()
  for line in io.lines("/proc/self/status") do
    local kib = line:match("^RssAnon:%s+(%d+)")
    if kib then return tonumber(kib) end
  end
end

local function open(n)
  local list = {}
  for i = 1, n do
    list[i] = assert(ipc.shared_data(ipc.private, {size = 1 << 16}))
    assert(list[i]:set("name", i))
  end
  return list
end

local function close(list) for _, data in ipairs(list) do data:close() end end

describe("shared data", function()
  it("takes little memory of each process that has it open, also after others were closed #nosan", function()
    close(open(STORES))
    collectgarbage()
    local before = anonymous()
    local list = open(STORES)
    local each = (anonymous() - before) / STORES
    close(list)
    assert.is_true(each < 100, ("%.0f KiB each"):format(each))
  end)
end)
