-- SPDX-License-Identifier: MIT
-- A slot of shared memory, another one each time: read, write, add, swap; or as peers: table_read, table_write, a
-- place in a Lua table; meta_read, meta_write, a C function that does next to nothing (math.type) as __index and
-- __newindex of a userdata: what every object pays that is no table; call, of such a function. Prints ns each, the
-- loop's own cost taken off, the best of many short runs.
local ipc = require "ipc"
local n = 100000
local m, t, u = ipc.shared_memory(ipc.private, 16), {}, io.tmpfile()
for i = 0, 15 do t[i] = 0 end
debug.setmetatable(u, {__index = math.type, __newindex = math.type})

local runs = {
  read = function() local v for i = 1, n do v = m[i & 15] end return v end,
  write = function() for i = 1, n do m[i & 15] = i end end,
  add = function() for i = 1, n do m:add(i & 15, 1) end end,
  swap = function() for i = 1, n do m:compare_and_swap(i & 15, 0, 0) end end,
  table_read = function() local v for i = 1, n do v = t[i & 15] end return v end,
  table_write = function() for i = 1, n do t[i & 15] = i end end,
  meta_read = function() local v for i = 1, n do v = u[i & 15] end return v end,
  meta_write = function() for i = 1, n do u[i & 15] = i end end,
  call = function() local f, v = math.type for i = 1, n do v = f(i & 15) end return v end,
  empty = function() local v for i = 1, n do v = i & 15 end return v end,
}

local run, least, least_empty = runs[arg[1]], math.huge, math.huge
local function time(f)
  local start = ipc.now()
  f()
  return ipc.now() - start
end
for _ = 1, 100 do
  least = math.min(least, time(run))
  least_empty = math.min(least_empty, time(runs.empty))
end
print((least - least_empty) / n * 1e9)
