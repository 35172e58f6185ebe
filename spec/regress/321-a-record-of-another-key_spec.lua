-- SPDX-License-Identifier: MIT
-- Damaged queues on a disk. A dead letter whose number was another one than its key says was given for ever by the
-- iterator. A queue without its head was said to be not there ("No such file or directory"), and could not be removed.

local ipc = require "ipc"
local disk = require("spec.support.engines").disk
local peer = require "spec.support.peer"

describe("a damaged queue on a disk", function()
  after_each(disk.cleanup)
  teardown(peer.clean)

  local function damage(...)
    local command = {peer.compile("disk_damage.c", "-Wl,--no-as-needed -llmdb"), disk.folder() .. "/shop", "at", ...}
    assert(os.execute(table.concat(command, " ")))
  end

  local function open()
    local q = assert(ipc.queue(ipc.disk_key(disk.folder() .. "/shop", "jobs"), {codec = "raw"}))
    for i = 1, 3 do q:send(1, "m" .. i, 0, {id = "id" .. i}) end
    for _ = 1, 2 do q:take(0, 0):bury() end
    return q
  end

  local DAMAGED <const> = "^queue disk:.*name=jobs: it is damaged; remove it$"

  it("says so where a record is under the key of another one", function()
    local q <close> = open()
    damage("queue:jobs", "x", "40", "0") -- the number of its death
    local count = 0
    local ok, why = pcall(function()
      for _ in q:dead() do
        count = count + 1
        assert(count < 5, "no end")
      end
    end)
    assert.is_false(ok)
    assert.matches("name=jobs: it is damaged", why)
    damage("queue:jobs", "r", "0", "77") -- the number of its sending
    for _, call in ipairs{q.take, q.receive, q.peek} do
      local message, reason = call(q, 0, 0)
      assert.is_nil(message)
      assert.matches(DAMAGED, reason)
    end
    assert.is_true(q:remove())
  end)

  it("says so without its head, and can be removed", function()
    local q <close> = open()
    damage("queue:jobs", "h")
    for _, call in ipairs{q.stat, q.take, q.revive} do
      local result, reason = call(q)
      assert.is_nil(result)
      assert.matches(DAMAGED, reason)
    end
    local again <close> = assert(ipc.queue(ipc.disk_key(disk.folder() .. "/shop", "jobs")))
    assert.is_true(again:remove())
    local new <close> = open()
    assert.equal(1, #new)
  end)
end)
