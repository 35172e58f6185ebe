-- SPDX-License-Identifier: MIT
-- A slot of shared memory, another one each time: read, write, add, swap; get, set by the accessors, get_many sixteen
-- at a time; or as peers: table_read, table_write, a place in a Lua table; table_many sixteen at a time; meta_read,
-- meta_write, a C function that does next to nothing (math.type) as __index and __newindex of a userdata: what every
-- object pays that is no table; call, of such a function. Prints ns each, the loop's own cost taken off, the best of
-- many short runs.
local ipc = require "ipc"
local n = 100000
local m, t, u = ipc.shared_memory(ipc.private, 16), {}, io.tmpfile()
local get, set = m:accessors()
for i = 0, 15 do t[i] = 0 end
debug.setmetatable(u, {__index = math.type, __newindex = math.type})

local runs = {
  read = function() local v for i = 1, n do v = m[i & 15] end return v end,
  write = function() for i = 1, n do m[i & 15] = i end end,
  get = function() local v for i = 1, n do v = get(i & 15) end return v end,
  set = function() for i = 1, n do set(i & 15, i) end end,
  get_many = function()
    local a, b, c, d, e, f, g, h, k, l, o, p, q, r, s, w
    for _ = 1, n, 16 do a, b, c, d, e, f, g, h, k, l, o, p, q, r, s, w = get(0, 16) end
    return a, b, c, d, e, f, g, h, k, l, o, p, q, r, s, w
  end,
  table_many = function()
    local a, b, c, d, e, f, g, h, k, l, o, p, q, r, s, w
    for _ = 1, n, 16 do
      a, b, c, d, e, f, g, h = t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]
      k, l, o, p, q, r, s, w = t[8], t[9], t[10], t[11], t[12], t[13], t[14], t[15]
    end
    return a, b, c, d, e, f, g, h, k, l, o, p, q, r, s, w
  end,
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
local rounds = arg[1]:find("many") and n / 16 or n
print((least - least_empty * rounds / n) / n * 1e9)
