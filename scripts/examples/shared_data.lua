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
for name, value in data:each("board/") do print(name, value) end

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

-- Two names in one step: no process sees the sum change, and no kill leaves half of it.
local function pay(_, from, to)
  for _ = 1, 100 do
    data:change(function(change)
      change:set(from, change:get(from) - 1)
      change:set(to, change:get(to) + 1)
    end)
  end
end
data:set("ann's purse", 500)
data:set("bob's purse", 500)
local payers <close> = setmetatable({}, getmetatable(counters))
for i = 1, 2 do payers[i] = ipc.process(pay, "ann's purse", "bob's purse") end
payers[3] = ipc.process(pay, "bob's purse", "ann's purse")
for _, child in ipairs(payers) do child:wait() end
print("the purses have", (data:get("ann's purse")), (data:get("bob's purse")))

-- A session that ends by itself.
local session = data:set("session/ann", { since = os.time() }, nil, { ttl = 0.05 })
print("the session is over:", data:wait("session/ann", session))

local version = data:set("owner", "ann")
print("taken over:", data:set("owner", "bob", 0)) -- only if there is none
print("handed over:", data:set("owner", "bob", version) ~= nil)

data:delete("config") -- which the workers wait for, and take as the end
print(ann:wait())
print(bob:wait())
