-- SPDX-License-Identifier: MIT
-- In a process with more than 512 handles of a queue in shared memory the last ones had one number for their jobs:
-- closing one of them gave back the jobs of the others, and they ran a second time while their holder had them.

local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local MANY <const>, EUSERS <const> = 520, 87
local PATIENCE <const> = waits.PATIENCE

contract.jobs(_ENV, "a handle of very many", function(engine, open)
  if engine.private or engine.name == "redis" then return end -- no other handles; a connection for each

  local function open_many(n)
    local handles = {}
    finally(function() for _, q in ipairs(handles) do q:close() end end)
    for i = 1, n do handles[i] = open() end
    return handles
  end

  it("gives back its own jobs only, or cannot take any", function()
    local handles, jobs, refused = open_many(MANY), {}, {}
    for _ = 1, MANY do assert(handles[1]:send(1, "job", PATIENCE)) end
    for i, q in ipairs(handles) do
      local job, why, errno = q:take(nil, 0)
      if job then
        jobs[i] = job
      else
        assert.equal(EUSERS, errno)
        assert.matches("handles of it take jobs in this process", why)
        refused[#refused + 1] = i
      end
    end
    assert.equal(#refused, #handles[1])
    for i = MANY, 2, -1 do
      if not jobs[i] or i % 2 == 0 then handles[i]:close() end
    end
    for i, job in pairs(jobs) do
      local ok, why = job:done()
      if i > 1 and i % 2 == 0 then
        assert.same({nil, "expired"}, {ok, why})
      else
        assert.is_true(ok)
      end
    end
    assert.equal(0, handles[1]:stat().taken)
  end)

  it("can take when others are closed", function()
    local handles = open_many(MANY)
    for _, q in ipairs(handles) do
      local _, why, errno = q:take(nil, 0)
      assert.is_true(why == "timeout" or errno == EUSERS)
    end
    handles[1]:close()
    assert(handles[2]:send(1, "job", PATIENCE))
    assert.is_true(handles[MANY]:take(nil, PATIENCE):done())
  end)
end)
