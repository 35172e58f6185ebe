-- SPDX-License-Identifier: MIT
-- A task gave up its wait for job:done() while the server was away: the request timed out, and the job was forgotten
-- here. The server had it as taken, and the process kept its lease for its other jobs: so no process had the job, and
-- none was given it, as long as that process worked. The same became of a job whose handle was closed meanwhile.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE

describe("a job whose word no server has heard", function()
  if engines.redis.missing then return pending(engines.redis.missing) end

  it("is ready again, though its process has others", function()
    local server <close> = redis_process("--appendonly yes --appendfsync always")
    local function open() return assert(ipc.queue(server:key("jobs", nil, "&lease=9&timeout=0.3"))) end
    local q <close>, closed = open(), open()
    for i = 1, 4 do assert(q:send(1, i)) end
    local word, kept, late, of_closed = assert(q:take()), assert(q:take()), assert(q:take()), assert(closed:take())
    server:kill()
    assert.same({nil, "timeout"}, {ipc.timeout(0.05, word.done, word)})
    local t = waits.waiting(of_closed.done, of_closed)
    closed:close()
    assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
    assert.is_nil((late:done())) -- those before it have timed out, too
    server:start()
    local stat
    local deadline = ipc.now() + PATIENCE
    repeat
      ipc.sleep(0.05)
      stat = q:stat()
    until stat and stat.ready == 2 or ipc.now() > deadline
    assert.same({2, 2, 0}, {stat.ready, stat.taken, stat.dead})
    assert.is_true(late:done())
    assert.is_true(kept:done())
    for _, n in ipairs{1, 4} do
      local job <close> = assert(q:take(nil, PATIENCE))
      assert.same({n, 1, 0}, {job.message, job.attempt, job.deaths})
      assert.is_true(job:done())
    end
  end)
end)
