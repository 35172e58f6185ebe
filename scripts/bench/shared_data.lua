-- SPDX-License-Identifier: MIT
-- Shared data: `get`, `set` or `add` of one name among so many; codec raw, json or lua. The value is 64 bytes (raw),
-- the number 12345 (add), or a small table. `wake`: a set, its waiter in another process, and one back. `ttl`: a set
-- for a time. `change`: gets and sets two names together; `two`: the same by two calls of each. `each`, `pairs`: goes
-- through all names. Prints ns per call, or per name.
local ipc = require "ipc"
local what, codec, names = arg[1], arg[2] or "raw", tonumber(arg[3]) or 1
local n = what == "wake" and 20000 or 200000
local value = codec == "raw" and ("x"):rep(64) or {id = 17, name = "bench", values = {1, 2.5, "three"}}
if what == "add" then value = 12345 end

local data = ipc.shared_data(ipc.private, {codec = codec, size = 64 << 20})
local list = {}
for i = 1, names do
  list[i] = ("name of %d"):format(i * 7919 % names)
  data:set(list[i], value)
end
local now = ipc.now
local start
if what == "wake" then
  local child = ipc.process(function()
    local version = 0
    for _ = 1, n do
      version = select(2, data:wait("there", version))
      data:set("back", value)
    end
  end)
  local version = 0
  start = now()
  for _ = 1, n do
    data:set("there", value)
    version = select(2, data:wait("back", version))
  end
  print((now() - start) / n * 1e9)
  child:wait()
  return
end
start = now()
if what == "each" or what == "pairs" then
  n = names * 20
  for _ = 1, 20 do
    if what == "each" then
      for _ in data:each() do end
    else
      for _ in pairs(data) do end
    end
  end
elseif what == "ttl" then
  for i = 1, n do data:set(list[i % names + 1], value, nil, {ttl = 60}) end
elseif what == "change" then
  local function swap(change)
    local first, second = change:get("first"), change:get("second")
    change:set("first", second or value)
    change:set("second", first or value)
  end
  for _ = 1, n do data:change(swap) end
elseif what == "two" then
  for _ = 1, n do
    local first, second = data:get("first"), data:get("second")
    data:set("first", second or value)
    data:set("second", first or value)
  end
elseif what == "get" then
  for i = 1, n do data:get(list[i % names + 1]) end
elseif what == "set" then
  for i = 1, n do data:set(list[i % names + 1], value) end
else
  for i = 1, n do data:add(list[i % names + 1], 1) end
end
print((now() - start) / n * 1e9)
