-- SPDX-License-Identifier: MIT
-- Under a limit of a file's size (ulimit -f) a queue on a disk had blocks on the disk behind the limit, and took them
-- for room: it took messages until nothing more could be written, and its jobs could neither be taken nor retried.

local disk = require("spec.support.engines").disk
local shell = require "spec.support.shell"

local IPCLUA = os.getenv("IPCLUA") or "build/ipclua"

local CODE <const> = [[
  local ipc = require "ipc"
  local q = assert(ipc.queue(ipc.disk_key(os.getenv "FOLDER"), {capacity = 1 << 28, codec = "raw", attempts = 9}))
  local sent, ok, why, code = -1
  repeat
    sent = sent + 1
    ok, why, code = q:send(1, ("x"):rep(5000), 20)
  until not ok
  print(sent > 100, why:match "%(.*%)$", code)
  local function take_all()
    local held = {}
    for i = 1, sent do held[i] = assert(q:take(nil, 20)) end
    return held
  end
  for _, job in ipairs(take_all()) do assert(job:retry(0, ("r"):rep(255))) end
  for _, job in ipairs(take_all()) do assert(job:bury(("b"):rep(255))) end
  print(q:stat().dead == sent, q:revive() == sent)
  for _, job in ipairs(take_all()) do assert(job:done()) end
  print(#q, q:send(1, "again", 20))]]

describe("a queue on a disk under ulimit -f", function()
  after_each(disk.cleanup)

  it("is full before its jobs cannot be taken, retried, buried and revived", function()
    local output = shell.output(("sh -c 'ulimit -f 16384; FOLDER=%s exec %s -e \"$0\" 2>&1' '%s'"):format(disk.folder(),
      IPCLUA, CODE))
    assert.equal("true\t(ulimit -f)\t27\ntrue\ttrue\n0\ttrue\n", output)
  end)
end)
