-- SPDX-License-Identifier: MIT
-- Many messages, many tasks, many processes, on every engine's queue: each message is received exactly once, and those
-- of one type in the order they were sent, whichever waits end in between.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local times = require "spec.support.rounds"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local SANITIZED = waits.SANITIZED
local ETIMEDOUT <const> = 110

contract.each(_ENV, "traffic of a queue", ipc.queue, function(engine, open)
  local seed
  before_each(function()
    seed = os.time()
    math.randomseed(seed)
  end)

  -- Of what one receiver gets, the numbers of each type rise; if no other receives that type, by one.
  local function recorder()
    local last = {}
    return function(n, type, alone)
      local before = last[type] or 0
      if n <= before or alone and n ~= before + 1 then
        error(("seed %d: %d of type %d came after %d"):format(seed, n, type, before), 0)
      end
      last[type] = n
    end
  end

  -- A child that sends so many numbers, of each of these types 1, 2, 3..., with pauses.
  local function sender(q, total, types, pause)
    return assert(ipc.process(function()
      math.randomseed(seed)
      local sent = {}
      for _ = 1, total do
        local type = types[math.random(#types)]
        sent[type] = (sent[type] or 0) + 1
        assert(q:send(type, sent[type], PATIENCE))
        if math.random() < 0.5 then ipc.sleep(math.random() * pause) end
      end
    end))
  end

  it("a timeout and an arrival race", function()
    local q <close> = open()
    local rounds = SANITIZED and 100 or 1000
    local child = sender(q, rounds, {1}, 0.0008)
    local record, late = recorder(), 0
    for _ = 1, rounds do
      local message, type
      repeat
        message, type = q:receive(1, math.random() * 0.0006)
        if not message then late = late + 1 end
      until message
      record(message, type, true)
    end
    assert.is_true(late > 0 or SANITIZED ~= nil)
    assert.is_true(child:wait(PATIENCE))
    assert.equal(0, #q)
  end)

  it("a cancellation and an arrival race", function()
    local q <close> = open()
    local rounds = SANITIZED and 100 or 1000
    local child = sender(q, rounds, {1}, 0.0008)
    local record, got, cancelled = recorder(), 0, 0
    while got < rounds do
      local t = ipc.task(q.receive, q, 1)
      if math.random(2) == 1 then waits.settle() else ipc.sleep(math.random() * 0.0004) end
      t:cancel()
      local ok, message, type = t:join(PATIENCE)
      if ok then
        record(message, type, true)
        got = got + 1
      else
        assert.equal(ipc.cancelled, message)
        cancelled = cancelled + 1
      end
    end
    assert.is_true(cancelled > 0 or SANITIZED ~= nil)
    assert.is_true(child:wait(PATIENCE))
    assert.equal(0, #q)
  end)

  it("a send's timeout and the room for it race", function()
    local q <close> = open()
    local rounds = SANITIZED and 60 or 400
    local large = ("y"):rep(engine.queue.max_message // 3)
    local child = assert(ipc.process(function(channel)
      local seen = {}
      repeat
        local message = q:receive()
        if message then seen[#seen + 1] = message[1] end
        if math.random(2) == 1 then ipc.sleep(math.random() * 0.0005) end
      until not message
      channel:send(seen)
    end))
    local sent, unknown = {}, {}
    for n = 1, rounds do
      local ok, _, errno = q:send(1, {n, large}, math.random() * 0.0005)
      if ok then sent[#sent + 1] = n end
      unknown[n] = errno == ETIMEDOUT -- by a server: it may have been sent
    end
    q:send(1, false)
    local seen = child.channel:receive(PATIENCE)
    for i = 1, #seen do
      if sent[i] ~= seen[i] and unknown[seen[i]] then table.insert(sent, i, seen[i]) end
    end
    assert.same(sent, seen)
    assert.is_true(#sent > 0)
    assert.is_true(child:wait(PATIENCE))
  end)

  -- Tasks of one process receive with timeouts, and are cancelled. The first `alone` have a type of their own, the
  -- rest asks in any of these ways.
  local function storm(q, alone, ways)
    local TASKS, TOTAL = SANITIZED and 60 or 500, SANITIZED and 300 or 2500
    local types = {1, 2, 3, 4, 5, 6}
    for slot = 1, alone do types[6 + slot] = 6 + slot end
    local child = sender(q, TOTAL, types, 0.0002)
    local got, gone, cancelled, seen, living = 0, 0, 0, {}, {}
    local function client(slot)
      local record, own = recorder(), slot <= alone
      while got < TOTAL do
        local wanted = own and 6 + slot or ways[math.random(#ways)]
        local t = ipc.task(q.receive, q, wanted, math.random(3) > 1 and math.random() * 0.01 or nil)
        living[slot] = t
        local ok, message, type = t:join(PATIENCE)
        if ok and message then
          record(message, type, own)
          local id = type .. ":" .. message
          if seen[id] then error(id .. " was received twice", 0) end
          seen[id], got = true, got + 1
        elseif ok then
          gone = gone + 1
        else
          if message ~= ipc.cancelled then error(message, 0) end
          cancelled = cancelled + 1
        end
      end
      for _, t in pairs(living) do t:cancel() end
    end
    ipc.scope(function(scope)
      for slot = 1, TASKS do scope:task(client, slot) end
      scope:task(function()
        while got < TOTAL do
          ipc.sleep(math.random() * 0.001)
          for _ = 1, math.random(20) do living[math.random(TASKS)]:cancel() end
        end
      end)
    end)
    assert.equal(TOTAL, got, "seed " .. seed)
    assert.is_true(gone > 0 and cancelled > 0)
    assert.is_true(child:wait(PATIENCE))
    assert.same({0, 0}, {#q, q:stat().receivers})
  end

  it("500 tasks receive, some a type of their own, give up, and are cancelled", function()
    local q <close> = open()
    storm(q, 24, {1, 2, 3, 4, 5, 6, -2, -6})
  end)

  it("500 tasks receive whatever comes, give up, and are cancelled", function()
    local q <close> = open()
    storm(q, 0, {0, 1, 2, 3, 4, 5, 6, -2, -6, -math.maxinteger})
  end)

  local EACH <const> = times(engine.name == "disk" and 2000 or engine.remote and 4000 or 20000) -- a disk is waited for

  it(4 * EACH .. " messages of 4 processes go to 4 others #slow #nosan", function()
    local q <close> = open{codec = "lua"}
    local PRODUCERS, CONSUMERS <const> = 4, 4
    local consumers = {}
    for c = 1, CONSUMERS do
      consumers[c] = assert(ipc.process(function(channel)
        local seen = {}
        for p = 1, PRODUCERS do seen[p] = {} end
        for message in q:messages() do
          if not message then break end
          local list = seen[message[1]]
          list[#list + 1] = message[2]
        end
        -- in order per producer: each sends one type
        for p = 1, PRODUCERS do
          local list = seen[p]
          for i = 2, #list do
            if list[i] <= list[i - 1] then error(("%d of %d came after %d"):format(list[i], p, list[i - 1])) end
          end
        end
        channel:send(seen)
      end))
    end
    local producers = {}
    for p = 1, PRODUCERS do
      producers[p] = assert(ipc.process(function()
        for n = 1, EACH do assert(q:send(p, {p, n})) end
      end))
    end
    for _, child in ipairs(producers) do assert.is_true(child:wait(60)) end
    for _ = 1, CONSUMERS do q:send(PRODUCERS + 1, false) end
    local count, once = 0, {}
    for p = 1, PRODUCERS do once[p] = {} end
    for _, child in ipairs(consumers) do
      for p, list in ipairs(assert(child.channel:receive(60))) do
        for _, n in ipairs(list) do
          assert(not once[p][n], "received twice")
          once[p][n], count = true, count + 1
        end
      end
      assert.is_true(child:wait(PATIENCE))
    end
    assert.equal(PRODUCERS * EACH, count)
    assert.equal(0, #q)
  end)
end)
