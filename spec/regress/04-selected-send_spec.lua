-- SPDX-License-Identifier: MIT
-- A send that was one case of a select and had to wait sent garbage: the bytes its codec had made were a string that
-- only the method's frame had held, and that was gone, with its memory, before there was room.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

-- what takes the place of freed strings
local function litter(size)
  waits.collect()
  for i = 1, 2000 do assert(("z"):rep(size - #tostring(i)) .. i) end
end

local MESSAGE <const> = {("y"):rep(600), 3}

describe("a send in a select carries what was given to it", function()
  it("through a queue", function()
    local engine = engines.sysv
    if engine.missing then return pending(engine.missing) end
    finally(engine.cleanup)
    local q <close> = assert(ipc.queue(engine.key()))
    local count = 0
    while q:send(1, ("x"):rep(1000), 0) do count = count + 1 end
    local t = waits.waiting(function() return ipc.select({{q, "send", 2, MESSAGE}}, waits.PATIENCE) end)
    litter(607)
    for _ = 1, count do q:receive(1) end
    assert.same({true, 1, true}, {t:join(waits.PATIENCE)})
    assert.same({MESSAGE, 2}, {q:receive(0, 0)})
  end)

  it("through a channel", function()
    local a, b = ipc.stream_channel_pair()
    local _ <close> = a
    local _ <close> = b
    local count = 0
    while a:send(("x"):rep(60000), 0) do count = count + 1 end
    local t = waits.waiting(function() return ipc.select({{a, "send", MESSAGE}}, waits.PATIENCE) end)
    litter(607)
    for _ = 1, count do b:receive() end
    while not t:join(0) do
      local got = b:receive(waits.PATIENCE)
      if type(got) == "table" then return assert.same(MESSAGE, got) end
    end
    assert.same(MESSAGE, b:receive(waits.PATIENCE))
  end)
end)
