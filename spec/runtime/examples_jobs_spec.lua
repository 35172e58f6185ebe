-- SPDX-License-Identifier: MIT
-- The example of jobs, with each kind of key that has them: its workers are killed in the middle of their work, and
-- each job has one result.

local ipc = require "ipc"
local engines = require "spec.support.engines"

local host = os.getenv("IPCLUA") or "build/ipclua"
local PATIENCE <const> = 60
local KILLS <const> = 6

-- How many jobs keep some workers busy for long enough: a disk is slow, and so is a server.
local COUNTS <const> = {shm = 3000, disk = 150, redis = 1000}

local function jobs(key, ...)
  return ipc.process{host, "scripts/examples/jobs.lua", "--key", key, stdout = "pipe", ...}
end

-- Until the queue has between so many messages and so many.
local function await(queue, least, most)
  local deadline, count = ipc.now() + PATIENCE, #queue
  while count < least or count > most do
    assert(ipc.now() < deadline, tostring(count))
    ipc.sleep(0.0005)
    count = #queue
  end
end

for name, count in pairs(COUNTS) do
  local engine = engines[name]
  describe("workers that are killed, with a key of " .. name, function()
    if not engine or engine.missing then return pending(engine and engine.missing or "there is no such engine") end
    after_each(engine.cleanup)

    it("lose no job, and do none twice", function()
      local key = engine.key()
      local text = tostring(key):match("%((.*)%)")
      local queue <close> = assert(ipc.queue(key))
      local giver <close> = assert(jobs(text, "give", tostring(count)))
      await(queue, count, count)
      for kill = 1, KILLS do
        local worker <close> = assert(jobs(text, "work"))
        await(queue, 0, count - kill * count // 10)
        worker:signal("KILL")
        worker:wait(PATIENCE)
      end
      local worker <close> = assert(jobs(text, "work"))
      local squares = {}
      for i = 1, count do squares[i] = i * i end
      assert.equal(table.concat(squares, " "), giver.stdout:receive(PATIENCE))
      local stop <close> = assert(jobs(text, "stop"))
      assert.is_true(stop:wait(PATIENCE))
      assert.is_true(worker:wait(PATIENCE))
      local stat = queue:stat()
      assert.same({0, 0, 0, 0}, {stat.ready, stat.taken, stat.delayed, stat.dead})
    end)
  end)
end
