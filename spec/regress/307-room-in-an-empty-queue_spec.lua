-- SPDX-License-Identifier: MIT
-- A queue in shared memory, empty again, had no room for ever. Its messages had been in pieces, and senders had used
-- blocks that receivers had freed and that were not counted yet: so more blocks were in use than there are. The
-- difference wrapped around, seemed to be much room, and what receivers had given back was not looked up any more.

local ipc = require "ipc"

local CAPACITY <const>, ROUNDS <const> = 1000, 2000

describe("an empty queue in shared memory", function()
  it("has room, whatever was sent before", function()
    local state = 1 -- with the fault there is no room in round 1090
    local function random(n)
      state = (state * 6364136223846793005 + 1442695040888963407) & math.maxinteger
      return (state >> 33) % n + 1
    end
    local q <close> = assert(ipc.queue(ipc.private, {codec = "raw", capacity = CAPACITY}))
    for round = 1, ROUNDS do
      repeat until not q:send(random(3), ("x"):rep(random(({50, 900, 300})[random(3)])), 0)
      for _ = 1, random(8) do q:receive(random(4) - 1, 0) end
      if round % 5 == 0 then
        repeat until not q:receive(0, 0)
        assert.is_true(q:send(1, ("x"):rep(CAPACITY), 0), "no room in round " .. round)
      end
    end
  end)
end)
