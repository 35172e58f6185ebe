-- SPDX-License-Identifier: MIT
-- The program that measures, scripts/bench/run.lua, where it measures nothing.

local ipc = require "ipc"

local host = os.getenv("IPCLUA") or "build/ipclua"
local PATIENCE <const> = 30

describe("the benchmarks", function()
  for _, name in ipairs {"nosuchname", "--foo"} do
    it("refuse the name " .. name .. ", which none has", function()
      local bench <close> = assert(ipc.process {host, "scripts/bench/run.lua", name, stdout = "pipe", stderr = "pipe"})
      assert.equal("bench: no benchmark's name begins with '" .. name .. "'", bench.stderr:receive(PATIENCE))
      assert.same({nil, "closed"}, {bench.stdout:receive(PATIENCE)})
      assert.same({nil, "exit", 2}, {bench:wait(PATIENCE)})
    end)
  end
end)
