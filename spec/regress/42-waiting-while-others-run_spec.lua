-- SPDX-License-Identifier: MIT
-- A task that waited for something in shared memory was never told as long as other tasks were always ready: after
-- three vain looks the loop left it to threads that sleep on futexes, and a loop that never blocks had none sleep.

local ipc = require "ipc"
local waits = require "spec.support.waits"

local ROUNDS <const> = 1000 -- without blocking, until the loop has looked in vain often enough

-- How each is waited for, and what another process does then.
local subjects = {
  queue = {
    ipc.queue, {codec = "raw"}, function(q) return q:receive() end, function(q) q:send(1, "it") end,
  },
  mutex = {
    ipc.mutex, nil, function(m) return m:acquire() end, function(m) m:release() end,
    before = function(m) m:acquire() end,
  },
  ["shared memory"] = {
    ipc.shared_memory, 8, function(m) return m:wait(3, 0) end, function(m) m[3] = 1 end,
  },
  ["shared data"] = {
    ipc.shared_data, {codec = "raw"}, function(d) return d:wait("it") end, function(d) d:set("it", "is there") end,
  },
}

-- In front of `others`, each of which never changes.
local function is_told(subject, others)
  local open, options, wait, change = table.unpack(subject, 1, 4)
  local object = assert(open(ipc.private, options))
  local child = assert(ipc.process(function(channel)
    if subject.before then subject.before(object) end
    channel:send("ready")
    channel:receive()
    change(object)
    channel:receive()
  end))
  child.channel:receive()
  local waiters = {}
  for i = 1, others do
    local queue = assert(ipc.queue(ipc.private, {codec = "raw", capacity = 64}))
    waiters[i] = ipc.task(function() return queue:receive() end)
  end
  local told = false
  local waiter = ipc.task(function()
    wait(object)
    told = true
  end)
  for _ = 1, ROUNDS do ipc.yield() end
  assert.equal("waiting", waiter:status())
  child.channel:send("go")
  local deadline = ipc.now() + waits.PATIENCE
  while not told and ipc.now() < deadline do ipc.yield() end
  assert.is_true(told)
  waiter:join()
  for _, w in ipairs(waiters) do w:cancel() end
  child:close()
end

describe("a task that waits while others are always ready", function()
  for name, subject in pairs(subjects) do
    it("is told of a change: " .. name, function() is_told(subject, 0) end)
    it("is told of it beside many that do not change: " .. name, function() is_told(subject, 200) end)
  end
end)
