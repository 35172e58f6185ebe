-- SPDX-License-Identifier: MIT
-- A slot of shared memory: read, write, add, swap; or a place in a Lua table: table_read, table_write; or call, of a
-- C function. Prints ns each, the loop's own cost taken off, the best of many short runs.
local ipc = require "ipc"
local n = 100000
local m, t = ipc.shared_memory(nil, 16), {}
for i = 0, 15 do t[i] = 0 end

local runs = {
  read = function() local v for _ = 1, n do v = m[5] end return v end,
  write = function() for i = 1, n do m[5] = i end end,
  add = function() for _ = 1, n do m:add(5, 1) end end,
  swap = function() for _ = 1, n do m:compare_and_swap(5, 0, 0) end end,
  table_read = function() local v for _ = 1, n do v = t[5] end return v end,
  table_write = function() for i = 1, n do t[5] = i end end,
  call = function() local f = rawlen for _ = 1, n do f("") end end,
  empty = function() for _ = 1, n do end end,
}

local function best(run)
  local least = math.huge
  for _ = 1, 100 do
    local start = ipc.now()
    run()
    least = math.min(least, ipc.now() - start)
  end
  return least / n * 1e9
end

print(best(runs[arg[1]]) - best(runs.empty))
