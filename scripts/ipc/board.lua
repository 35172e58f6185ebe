-- SPDX-License-Identifier: MIT
-- Reads the boards of processes: what their tasks wait for, and what they hold (runtime/os/board.h is the layout).

local core = select(2, ...)

local board = {}

local open = io.open

local HEAD <const> = "=c8 I4 I4 I4 I4 i4 I4 I8 I8 i8 I8 c256"
local RECORD <const> = "=I4 B B I2 I4 I4 i8 i8 i8 I8 i8 c40 c32 c128 c64"
local LAYOUT <const>, PREFIX <const> = 1, "ipclua%.board%."
local WAITS <const>, RUNS <const>, CASE <const>, HOLD <const> = 1, 2, 3, 4

local function text(bytes) return bytes:match("^[^\0]*") end

local function read_file(path)
  local file = open(path)
  if not file then return nil end
  local bytes = file:read("a")
  file:close()
  return bytes
end

local function head_of(bytes)
  if #bytes < HEAD:packsize() then return nil end
  local magic, layout, head_size, record_size, used, pid, timers, start, space, turned, address, command =
    HEAD:unpack(bytes)
  if magic ~= "ipcboard" or layout ~= LAYOUT or record_size ~= RECORD:packsize() then return nil end
  return {
    pid = pid, start = start, space = space, turned = turned ~= 0 and turned / 1e9 or nil, used = used, at = head_size,
    address = address, timers = timers, chained = {},
    command = (command:gsub("%z+$", ""):gsub("%z", " ")),
  }
end

local function record_of(bytes, head, number)
  local at = head.at + (number - 1) * RECORD:packsize() + 1
  if number < 1 or number > head.used or at + RECORD:packsize() - 1 > #bytes then return nil end
  local r, _ = {}, nil
  r.sequence, r.kind, r.more, _, r.next, r.line, r.task, r.since, r.deadline, r.object, r.other, r.name, r.call, r.key,
    r.file = RECORD:unpack(bytes, at)
  return r
end

-- The same numbers in both readings: so what was read first is whole.
local function is_whole(first, second)
  return second and first.sequence == second.sequence and first.sequence % 2 == 0
end

local function call_of(r)
  return {
    call = text(r.call), key = text(r.key), object = r.object ~= 0 and r.object or nil,
    other = r.other ~= 0 and r.other or nil,
  }
end

-- What the record's chain leads to. A record is in one chain, and that is no ring, or the board is damaged.
local function add_chain(bytes, head, r, wait)
  while r and r.next ~= 0 and not head.chained[r.next] do
    head.chained[r.next] = true
    r = record_of(bytes, head, r.next)
    if r and r.kind == CASE then
      wait.cases = wait.cases or {}
      table.insert(wait.cases, call_of(r))
    elseif r and r.kind == HOLD then
      table.insert(wait.holds, call_of(r))
    end
  end
end

local function wait_of(bytes, head, r)
  local wait = call_of(r)
  wait.task, wait.name = r.task, text(r.name) ~= "" and text(r.name) or nil
  wait.where = r.line ~= 0 and ("%s:%d"):format(text(r.file), r.line) or nil
  wait.since, wait.deadline = r.since / 1e9, r.deadline ~= 0 and r.deadline / 1e9 or nil
  wait.sequence, wait.more, wait.holds = r.sequence, r.more ~= 0 or nil, {}
  if r.kind == WAITS then add_chain(bytes, head, r, wait) end
  return wait
end

-- Two readings of a board → {pid, start, space, command, turned, timers, waits, runs, torn}. `waits` and `runs` are
-- lists of {task, name, call, key, object, other, where, since, deadline, cases, holds, sequence, more}; task is 0 on
-- the main chunk. `torn` is how many records were being changed. Times are seconds of ipc.now(). nil: it is no board.
function board.parse(first, second)
  local head, again = head_of(first), head_of(second)
  if not head or not again then return nil end
  head.waits, head.runs, head.torn, head.turned = {}, {}, 0, again.turned
  for number = 1, head.used do
    local r = record_of(first, head, number)
    local kind = r and r.kind
    if not r then
      break
    elseif not is_whole(r, record_of(second, again, number)) then
      head.torn = head.torn + 1
    elseif kind == WAITS then
      table.insert(head.waits, wait_of(first, head, r))
    elseif kind == RUNS then
      table.insert(head.runs, wait_of(first, head, r))
    end
  end
  return head
end

-- The state of the process, a letter of ps(1); nil: there is none with that pid and start.
local function state_of(pid)
  local stat = read_file(("/proc/%d/stat"):format(pid))
  return stat and stat:match("^.*%) (%a)")
end

-- A program that was started in its place (exec) does not have the board mapped.
local function has_it(b)
  local maps = read_file(("/proc/%d/maps"):format(b.pid)) or ""
  return maps == "" or ("\n" .. maps):find(("\n0*%x%%-%%x+ rw%%-s "):format(b.address)) ~= nil
end

-- All boards that this user may read, with `state` of each process; those of dead processes are removed.
function board.all()
  local list = {}
  for _, path in ipairs(core.boards()) do
    local b = board.parse(core.board(path) or "", core.board(path) or "")
    if b and path:find(PREFIX .. b.pid .. "%." .. b.start .. "$") and has_it(b) then
      b.state = state_of(b.pid)
      if b.state then list[#list + 1] = b end
    end
  end
  table.sort(list, function(x, y) return x.pid < y.pid end)
  return list
end

return board
