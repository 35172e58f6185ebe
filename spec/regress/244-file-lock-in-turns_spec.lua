-- SPDX-License-Identifier: MIT
-- Of two processes that held a file lock most of the time, one took it again and again before the other one, which the
-- kernel had woken, could run: it had 299 turns, and the other 1.

local ipc = require "ipc"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local TURNS <const>, LEAST <const> = 60, 3

describe("a file lock that two processes hold most of the time", function()
  it("is had by both", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local had <close> = assert(ipc.shared_memory(ipc.private, 2))
    local children = {}
    for i = 0, 1 do
      children[i] = assert(ipc.process(function(channel)
        local lock = assert(ipc.file_lock(path))
        channel:send("ready")
        channel:receive()
        while had[0] < TURNS and had[1] < TURNS do
          assert(lock:acquire())
          had:add(i, 1)
          local over = ipc.now() + 0.003
          while ipc.now() < over do end
          lock:release()
        end
      end))
    end
    for i = 0, 1 do assert.equal("ready", children[i].channel:receive(PATIENCE)) end
    for i = 0, 1 do children[i].channel:send("go") end
    for i = 0, 1 do assert.same({true, "exit", 0}, {children[i]:wait(PATIENCE)}) end
    assert.is_true(math.min(had[0], had[1]) >= LEAST, had[0] .. " and " .. had[1] .. " turns")
  end)
end)
