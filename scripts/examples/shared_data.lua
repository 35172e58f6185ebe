-- SPDX-License-Identifier: MIT
-- Shared data: workers that follow a configuration while it changes, and count on one board.
-- See doc/shared_data.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua shared_data.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local data <close> = ipc.shared_data(ipc.private) -- for this process, and the children that it forks
data:set("config", { greeting = "hello" })

-- A worker reads the configuration, tells what it does, and waits until it is changed.
local function worker(_, name)
  local config, version = data:get("config")
  while config do
    data:set("board/" .. name, config.greeting .. " from " .. name)
    data:add("greetings", 1)
    config, version = data:wait("config", version)
  end
end
local ann <close> = ipc.process(worker, "ann") -- ended before the data is closed, whatever happens
local bob <close> = ipc.process(worker, "bob")

local function wait_for_greetings(count)
  local n, version = 0, 0
  while n < count do n, version = data:wait("greetings", version) end
end

wait_for_greetings(2)
data:update("config", function(config)
  config.greeting = "good evening"
  return config
end)
wait_for_greetings(4)
for name, value in pairs(data) do
  if name:match("^board/") then print(name, value) end
end

-- The loop of every toolbox: it is tried again if another process came between.
local function count()
  for _ = 1, 500 do
    repeat local n = data:get("counter") or 0 until data:set("counter", n + 1, true)
  end
end
local counters <close> = setmetatable({}, { __close = function(list)
  for _, child in ipairs(list) do child:close() end
end })
for i = 1, 4 do counters[i] = ipc.process(count) end
for _, child in ipairs(counters) do child:wait() end
print("four times 500 are", (data:get("counter")))

local version = data:set("owner", "ann")
print("taken over:", data:set("owner", "bob", 0)) -- only if there is none
print("handed over:", data:set("owner", "bob", version) ~= nil)

data:delete("config") -- which the workers wait for, and take as the end
print(ann:wait())
print(bob:wait())
