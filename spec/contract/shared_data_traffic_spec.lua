-- SPDX-License-Identifier: MIT
-- Many processes on one shared data, some of them killed at any moment: nothing is lost, nothing is half done.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local rounds = require "spec.support.rounds"
local waits = require "spec.support.waits"

local PATIENCE = 60
local SANITIZED = waits.SANITIZED
local PROCESSES <const> = 4

contract.each(_ENV, "shared data", ipc.shared_data, function(engine, open)
  local SYNCED <const> = engine.name == "disk" -- each change waits for the disk
  local TIMES <const> = rounds(SYNCED and 80 or SANITIZED and 200 or 2000)

  -- fn(i) in so many processes at once
  local function all(fn)
    local children = {}
    for i = 1, PROCESSES do
      children[i] = assert(ipc.process(function(channel)
        channel:receive()
        fn(i)
        channel:send("done")
      end))
    end
    for _, child in ipairs(children) do child.channel:send("go") end
    for _, child in ipairs(children) do
      assert.equal("done", child.channel:receive(PATIENCE))
      assert.is_true(child:wait(PATIENCE))
    end
  end

  it("counts exactly in four processes that get, and set if nothing came between", function()
    local d <close> = open()
    d:set("counter", 0)
    all(function()
      for _ = 1, TIMES do
        local n
        repeat n = d:get("counter") until d:set("counter", n + 1, true)
      end
    end)
    assert.equal(PROCESSES * TIMES, d:get("counter"))
  end)

  it("counts exactly in four processes that add", function()
    local d <close> = open()
    all(function(i)
      for _ = 1, TIMES do
        d:add("all", 1)
        d:add("of " .. i, 1)
      end
    end)
    assert.equal(PROCESSES * TIMES, d:get("all"))
    for i = 1, PROCESSES do assert.equal(TIMES, d:get("of " .. i)) end
  end)

  it("hands out each number once where four processes delete and set if it is not there", function()
    local d <close> = open()
    local tasks = TIMES // 4
    for i = 1, tasks do d:set(("task %04d"):format(i), i) end
    all(function(i)
      for n = 1, tasks do
        if d:delete(("task %04d"):format(n)) then d:add("taken by " .. i, 1) end
        if d:set("first of " .. n, i, 0) then d:add("first", 1) end
      end
    end)
    local taken = 0
    for i = 1, PROCESSES do taken = taken + (d:get("taken by " .. i) or 0) end
    assert.same({tasks, tasks}, {taken, (d:get("first"))})
  end)

  it("shows each process all of a value, however large and often it changes", function()
    local d <close> = open{codec = "raw"}
    local sizes = {10, 3000, 70000, 500}
    d:set("x", "0:")
    all(function(i)
      for n = 1, TIMES // 8 do
        if i <= 2 then
          d:set("x", n .. ":" .. (tostring(i)):rep(sizes[n % 4 + 1]))
        else
          local n_then, digits = d:get("x"):match("^(%d+):(.*)$")
          assert(digits == digits:sub(1, 1):rep(#digits), "torn")
          assert(n_then == "0" or #digits == sizes[n_then % 4 + 1], "short")
        end
      end
    end)
  end)

  -- Transfers within one value, counters, waits, looks at everything, names that come and go.
  local function worker(channel, slot, seed)
    local d = open()
    math.randomseed(seed)
    local function transfer(accounts)
      local from, to, amount = math.random(10), math.random(10), math.random(10)
      accounts[from], accounts[to] = accounts[from] - amount, accounts[to]
      accounts[to] = accounts[to] + amount
      return accounts
    end
    local version
    channel:send("ready")
    while true do
      local what = math.random(6)
      if what == 1 then d:update("accounts", transfer)
      elseif what == 2 then
        d:add("of " .. slot, 1)
        d:add("all", 1)
      elseif what == 3 then
        local sum = 0
        local accounts, now = d:get("accounts")
        version = now
        for _, amount in ipairs(accounts) do sum = sum + amount end
        if sum ~= 1000 then channel:send("the sum is " .. sum) end
      elseif what == 4 then d:wait("accounts", version or 0, 0.0005)
      elseif what == 5 then
        for name, value in pairs(d) do
          if value == nil then channel:send("no value of " .. name) end
        end
      else
        local name = "of its own " .. slot .. " " .. math.random(20)
        if not d:delete(name) then assert(d:set(name, {("x"):rep(math.random(8000))})) end
      end
    end
  end

  it("survives hundreds of kills of processes that read, write and wait #slow", function()
    local KILLS <const>, SLOTS <const> = rounds(engine.name == "shm" and 200 or SYNCED and 20 or 50), 6
    local d <close> = open{size = 4 << 20}
    local accounts = {}
    for i = 1, 10 do accounts[i] = 100 end
    d:set("accounts", accounts)
    local seed = os.time()
    math.randomseed(seed)
    local children = {}
    local function start(slot)
      local child = assert(ipc.process(worker, slot, math.random(1 << 30)))
      children[slot] = child
      assert.equal("ready", child.channel:receive(PATIENCE))
    end
    for slot = 1, SLOTS do start(slot) end
    for _ = 1, KILLS do
      local slot = math.random(SLOTS)
      ipc.sleep(math.random() * 0.002) -- any moment: there is no event for the middle of a write
      children[slot]:signal("KILL")
      local said, why = children[slot].channel:receive(PATIENCE)
      assert.same({nil, "closed"}, {said, why}, "seed " .. seed)
      children[slot]:wait()
      start(slot)
    end
    for _, child in ipairs(children) do
      child:signal("KILL")
      child:wait()
      assert.same({nil, "closed"}, {child.channel:receive(PATIENCE)}, "seed " .. seed)
    end
    local sum, singles = 0, 0
    for _, amount in ipairs(d:get("accounts")) do sum = sum + amount end
    for slot = 1, SLOTS do singles = singles + (d:get("of " .. slot) or 0) end
    assert.equal(1000, sum)
    local total = d:get("all")
    assert.is_true(total > 0 and total <= singles and singles <= total + KILLS + SLOTS)
    for name, value in pairs(d) do
      if name:match("^of its own") then assert.is_true(d:delete(name) and #value[1] >= 1) end
    end
    assert.equal(2 + SLOTS, d:count()) -- all, accounts, and those of each
    local t = waits.waiting(function() return d:wait("the end", 0, PATIENCE) end)
    ipc.sleep(0.002)
    d:set("the end", true)
    assert.is_true(t:join(PATIENCE))
    -- nothing that the dead had in use is lost: it can be filled as before
    local large = ("x"):rep(100000)
    local count = 0
    while d:set("large " .. count, large) do count = count + 1 end
    assert.is_true(count > 30)
  end)
end)
