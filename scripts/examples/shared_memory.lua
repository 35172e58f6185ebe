-- SPDX-License-Identifier: MIT
-- Shared memory: a board of counters on which four processes share out a hundred jobs.
-- See doc/shared_memory.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua shared_memory.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local JOBS = 100
local NEXT, DONE, SUM = 0, 1, 2 -- slots

local board = ipc.shared_memory(ipc.private, 3) -- for this process, and the children that it forks

local function worker(channel)
  local mine = 0
  while true do
    local job = board:add(NEXT, 1) -- no other process gets this number
    if job > JOBS then break end
    board:add(SUM, job)
    board:add(DONE, 1) -- wakes the task that waits for it
    mine = mine + 1
  end
  channel:send(mine)
end

local children = {}
for i = 1, 4 do children[i] = ipc.process(worker) end

local done = 0
while done < JOBS do done = board:wait(DONE, done) end -- sleeps while it is still `done`
print("done:", done)
print("sum:", board[SUM])

local jobs = 0
for _, child in ipairs(children) do
  jobs = jobs + child.channel:receive()
  child:wait()
end
print("by all workers together:", jobs)

-- The first to put a 1 for the 0 is the one that does it.
board[SUM] = 0
print(board:compare_and_swap(SUM, 0, 1), board:compare_and_swap(SUM, 0, 1))
print(board:wait(SUM, 1, 0.01))
print(pcall(function() return board[3] end))
