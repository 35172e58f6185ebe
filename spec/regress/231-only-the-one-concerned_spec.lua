-- SPDX-License-Identifier: MIT
-- Each change of an object in shared memory, or of shared data, woke every process that waited there for anything:
-- with 32 processes that waited for other names a change took 3 times as long, and with 32 for other slots 8 times.
-- Now a process sleeps until what it waits for has changed.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local processes = require "spec.support.processes"

local await = processes.await
local PATIENCE <const> = 20
local shm = engines.shm

-- How often a process has gone to sleep, and whether it sleeps now.
local function sleeps(pid)
  local file <close> = assert(io.open(("/proc/%d/status"):format(pid)))
  local text = file:read("a")
  return tonumber(text:match("\nvoluntary_ctxt_switches:%s*(%d+)")), text:match("\nState:%s*(%a)") == "S"
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

-- How a process waits for the thing with a number; how that is changed; how many are written down as waiting.
local nouns = {
  ["shared memory"] = {
    open = function(key) return assert(ipc.shared_memory(key, 1000)) end,
    wait = function(m, i) return m:wait(i, 0) end,
    change = function(m, i) m:add(i, 1) end,
    listed = function(key)
      return ("<I4"):unpack(read("/dev/shm/ipclua.memory." .. key.name), 280 + 8 + 64 + 4 + 1)
    end,
  },
  ["shared data"] = {
    open = function(key) return assert(ipc.shared_data(key)) end,
    wait = function(d, i) return (d:wait("name " .. i, 0)) end,
    change = function(d, i) assert(d:set("name " .. i, 1)) end,
    listed = function(key)
      return ("<I4"):unpack(read("/dev/shm/ipclua.data." .. key.name .. "/control"), 368 + 4 + 1)
    end,
  },
}

for noun, it_is in pairs(nouns) do
  describe(noun .. " that processes wait for", function()
    after_each(shm.cleanup)

    it("wakes only those that wait for what has changed", function()
      local key = shm.key()
      local own, children = it_is.open(key), {}
      for i = 1, 70 do -- more than are written down
        local which = i <= 3 and i or 100 + i
        children[i] = assert(ipc.process(function(channel)
          local object = it_is.open(key)
          channel:send("opened")
          channel:send(it_is.wait(object, which))
        end))
        assert.equal("opened", children[i].channel:receive(PATIENCE))
        if i == 3 then
          local before = {}
          await(function()
            for j = 1, 3 do
              local n, asleep = sleeps(children[j].pid)
              if not asleep or it_is.listed(key) < 3 then return false end
              before[j] = n
            end
            return true
          end)
          ipc.sleep(0.01)
          for j = 1, 3 do before[j] = sleeps(children[j].pid) end
          for _ = 1, 100 do it_is.change(own, 50) end
          for j = 1, 3 do assert.equal(before[j], (sleeps(children[j].pid))) end
        end
      end
      for i, child in ipairs(children) do
        assert.is_nil(child.channel:receive(0))
        it_is.change(own, i <= 3 and i or 100 + i)
        assert.equal(1, child.channel:receive(PATIENCE))
        child:close()
      end
    end)

    it("wakes a process that waits for many", function()
      local key = shm.key()
      local own = it_is.open(key)
      local child <close> = assert(ipc.process(function(channel)
        local object = it_is.open(key)
        for i = 1, 300 do
          ipc.task(function()
            it_is.wait(object, i)
            channel:send(i)
          end)
        end
        channel:send("opened")
        channel:receive()
      end))
      assert.equal("opened", child.channel:receive(PATIENCE))
      for i = 300, 1, -1 do
        it_is.change(own, i)
        assert.equal(i, child.channel:receive(PATIENCE))
      end
    end)
  end)
end
