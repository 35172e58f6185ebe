-- SPDX-License-Identifier: MIT
-- A forked child wrote to each task of its parent, to drop its wait: a copy of each page of their memory. With 100,000
-- tasks the child's function began 600 ms after the fork.

local ipc = require "ipc"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local TASKS <const>, PAGES <const> = 10000, 300

local function minor_faults()
  local stat = assert(io.open("/proc/self/stat")):read("a")
  return tonumber(stat:match("^.*%) %S+ %S+ %S+ %S+ %S+ %S+ %S+ (%d+)"))
end

describe("a forked child of a process with many tasks", function()
  local tasks, child
  before_each(function()
    tasks = {}
    for i = 1, TASKS do tasks[i] = ipc.task(ipc.sleep, 1000) end
    waits.settle()
  end)
  after_each(function()
    for _, task in ipairs(tasks) do task:cancel() end
    for _, task in ipairs(tasks) do task:join() end
    if child then child:close() end
  end)

  it("leaves their memory as it is #nosan", function()
    child = assert(ipc.process(function(channel) channel:send(minor_faults()) end))
    local faults = child.channel:receive(PATIENCE)
    assert.is_true(faults < PAGES, faults .. " page faults")
  end)

  it("finds them over, and has tasks of its own", function()
    child = assert(ipc.process(function(channel)
      local seen = {#ipc.tasks()}
      for _, i in ipairs{1, TASKS // 2, TASKS} do
        seen[#seen + 1] = tasks[i]:status()
        seen[#seen + 1] = tasks[i]:join() == false
        tasks[i]:cancel()
        tasks[i]:close()
      end
      local _, own = assert(ipc.task(function()
        ipc.sleep(0.01)
        return "own"
      end):join())
      local grandchild <close> = ipc.process(function(inner) inner:send(tasks[2]:status()) end)
      seen[#seen + 1] = grandchild.channel:receive(PATIENCE)
      tasks = nil
      collectgarbage()
      channel:send{own, table.unpack(seen)}
    end))
    local over = {"own", 0}
    for _ = 1, 3 do
      over[#over + 1] = "cancelled"
      over[#over + 1] = true
    end
    over[#over + 1] = "cancelled"
    assert.same(over, child.channel:receive(PATIENCE))
    assert.equal("waiting", tasks[1]:status())
  end)
end)
