-- SPDX-License-Identifier: MIT
-- A System V queue had a thread for each type that was waited for: 4,001 of them for 4,000 types. They stayed when
-- nothing was waited for any more. Each message looked at all types.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local TYPES <const>, FEW <const> = 300, 20

local sysv = engines.sysv

describe("a System V queue of which many types are waited for #nosan", function()
  if sysv.missing then return pending(sysv.missing) end

  local key, queue, server
  before_each(function()
    key = sysv.key()
    queue = assert(ipc.queue(key, {codec = "raw"}))
    -- A task for each type says what it got.
    server = assert(ipc.process(function(channel)
      local q = assert(ipc.queue(key, {codec = "raw"}))
      local tasks = {}
      for i = 1, TYPES do
        tasks[i] = ipc.task(function() for text in q:messages(i) do channel:send{text, i} end end)
      end
      repeat ipc.sleep(0.005) until ipc.stats().threads > 0
      channel:send(ipc.stats().threads)
      channel:receive()
      channel:send(ipc.stats().threads)
      for _, task in ipairs(tasks) do task:cancel() end
      repeat ipc.sleep(0.05) until ipc.stats().threads == 0
      channel:send("none")
    end))
    assert.is_number(server.channel:receive(PATIENCE))
  end)
  after_each(function()
    server:close()
    queue:remove()
    sysv.cleanup()
  end)

  local function delivers(types, text)
    for _, i in ipairs(types) do
      assert(queue:send(i, text))
      assert.same({text, i}, server.channel:receive(PATIENCE))
    end
  end

  local all = {}
  for i = 1, TYPES do all[i] = i * 7 % TYPES + 1 end
  local some = {1, 5, TYPES // 2, TYPES - 1, TYPES}

  it("has few threads for them, and none soon after", function()
    delivers(all, "text")
    server.channel:send("how many?")
    local threads = server.channel:receive(PATIENCE)
    assert.is_true(threads <= FEW, threads .. " threads")
    assert.equal("none", server.channel:receive(PATIENCE))
  end)

  it("delivers past messages that nothing waits for", function()
    queue:send(TYPES + 1, "of one type")
    delivers(some, "text")
    queue:send(TYPES + 2, "of another")
    delivers(some, "text")
    for i = 1, 100 do queue:send(TYPES + 3, tostring(i)) end
    delivers(some, "text")
    assert.equal("of one type", queue:receive(TYPES + 1, 0))
    assert.equal("of another", queue:receive(TYPES + 2, 0))
    for i = 1, 100 do assert.equal(tostring(i), queue:receive(TYPES + 3, 0)) end
    delivers(some, "text")
  end)

  it("delivers empty messages, and leaves those that nothing waits for", function()
    delivers(some, "")
    queue:send(TYPES + 1, "")
    assert.same({"", TYPES + 1}, {queue:receive(TYPES + 1, PATIENCE)})
    delivers(some, "")
  end)

  it("tells all that wait when it is removed", function()
    local child = assert(ipc.process(function(channel)
      local q = assert(ipc.queue(key))
      local removed, tasks = 0, {}
      for i = 1, TYPES do
        tasks[i] = ipc.task(function()
          local _, why = q:receive(TYPES + i)
          if why == "removed" then removed = removed + 1 end
        end)
      end
      repeat ipc.sleep(0.005) until ipc.stats().threads > 0
      channel:send("waiting")
      for _, task in ipairs(tasks) do task:join() end
      channel:send(removed)
    end))
    assert.equal("waiting", child.channel:receive(PATIENCE))
    queue:remove()
    assert.equal(TYPES, child.channel:receive(PATIENCE))
    child:wait()
  end)
end)
