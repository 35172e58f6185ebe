-- SPDX-License-Identifier: MIT
-- Of several dead letters with one id, `revive(id)` made the one ready that was sent last when the queue was in shared
-- memory, and the one that died first on a disk and on redis.

local contract = require "spec.support.contract"

contract.jobs(_ENV, "dead letters with one id", function(_, open)
  it("are revived from the first that died", function()
    local q <close> = open{codec = "raw"}
    for _, text in ipairs{"a", "b", "c"} do
      assert(q:send(1, text, 0, {id = "same"}))
      assert(q:take(1, 0)):bury(text)
    end
    assert.equal(1, q:revive("same"))
    local first <close> = assert(q:take(1, 0))
    assert.equal("a", first.message)
    assert.equal(0, q:revive("same")) -- the id is in use
    assert(first:bury "again") -- it is the last one now
    for _, text in ipairs{"b", "c", "a"} do
      assert.equal(1, q:revive("same"))
      local job <close> = assert(q:take(1, 0))
      assert.equal(text, job.message)
      assert.is_true(job:done())
    end
    assert.equal(0, q:revive("same"))
  end)
end)
