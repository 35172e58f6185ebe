-- SPDX-License-Identifier: MIT
-- A queue on a disk with a limit of some megabytes (ulimit -f, or a small disk) was filled, emptied, and refused every
-- send from then on: the pages that were free again, and those behind the last one, were each too few by themselves.

local disk = require("spec.support.engines").disk
local shell = require "spec.support.shell"

local IPCLUA = os.getenv("IPCLUA") or "build/ipclua"

local CODE <const> = [[
  local ipc = require "ipc"
  local q = assert(ipc.queue(ipc.disk_key(os.getenv "FOLDER"), {capacity = 1 << 28, codec = "raw"}))
  local function fill()
    for sent = 0, math.huge do
      if not q:send(1, ("x"):rep(5000), 20) then return sent end
    end
  end
  local first = fill()
  for round = 1, 3 do
    for _ = 1, #q do assert(q:take(nil, 20)):done() end
    print(first > 20, fill() > first // 2)
  end]]

describe("a queue on a disk that was full", function()
  after_each(disk.cleanup)

  it("has room when it is empty again, under a small limit", function()
    for _, blocks in ipairs{5200, 8192} do
      local output = shell.output(("sh -c 'ulimit -f %d; FOLDER=%s exec %s -e \"$0\" 2>&1' '%s'"):format(blocks,
        disk.key().path .. blocks, IPCLUA, CODE))
      assert.equal(("true\ttrue\n"):rep(3), output)
    end
  end)
end)
