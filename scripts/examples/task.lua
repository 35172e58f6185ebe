-- SPDX-License-Identifier: MIT
-- Tasks: three that wait at the same time, one that is too slow, and a scope in which one failure
-- stops the others. See doc/task.md.

local ipc = require "ipc"

if arg[1] then -- it takes none
  (arg[1] == "--help" and io.stdout or io.stderr):write "usage: ipclua task.lua\n"
  os.exit(arg[1] == "--help" and 0 or 2)
end

local function fetch(name, seconds)
  ipc.sleep(seconds) -- stands for a slow answer; only this task waits
  return name .. " is here"
end

-- Together they take as long as the slowest.
local start, tasks = ipc.now(), {}
for i, name in ipairs { "bread", "milk", "honey" } do
  tasks[i] = ipc.task(fetch, name, i * 0.05)
end
for _, task in ipairs(tasks) do
  print(select(2, task:join()))
end
print(("all of it after %.2f s"):format(ipc.now() - start))

-- A limit on anything that waits: the function is cancelled when the time is over.
print("the snail", ipc.timeout(0.05, fetch, "snail", 3600))

-- A scope ends when all its tasks have; an error in one cancels the others and is raised here.
local ok, problem = pcall(ipc.scope, function(scope)
  scope:task(function()
    local _ <close> = setmetatable({}, { __close = function() print("the other one tidies up") end })
    ipc.sleep(3600)
  end)
  scope:task(function() error("the cellar is flooded", 0) end)
end)
print(ok, (problem:match("[^\n]*")))
