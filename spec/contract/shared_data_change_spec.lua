-- SPDX-License-Identifier: MIT
-- What shared data promises on every engine of a change of several names: all or nothing, and again when something came
-- between.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local rounds = require "spec.support.rounds"
local waits = require "spec.support.waits"

local ENOSPC, EMSGSIZE = 28, 90
local PATIENCE = waits.PATIENCE
local PROCESSES = 4

contract.each(_ENV, "a change of shared data", ipc.shared_data, function(engine, open, keyed)
  local function move(d, from, to, amount)
    return d:change(function(t)
      local a = t:get(from)
      if a < amount then return false end
      t:set(from, a - amount)
      t:set(to, t:get(to) + amount)
      return true
    end)
  end

  it("gets, sets and deletes, and sees what it has done", function()
    local d <close> = open()
    local one = d:set("a", {1})
    d:set("gone", 1)
    assert.same({"x", nil, 3}, {d:change(function(t)
      assert.same({{1}, one}, {t:get("a")})
      t:set("a", {2})
      assert.same({2}, (t:get("a")))
      assert.is_nil(select(2, t:get("a")))
      t:get("a")[1] = 5 -- a copy
      t:set("b", "new")
      t:delete("gone")
      assert.is_nil(t:get("gone"))
      assert.is_nil(t:get("c"))
      t:set("c", 1)
      t:delete("c")
      t:delete("never")
      assert.equal(1, d:get("gone")) -- nothing has happened yet
      return "x", nil, 3
    end)})
    local a, va = d:get("a")
    local b, vb = d:get("b")
    assert.same({{2}, "new"}, {a, b})
    assert.is_true(va == vb and va > one)
    assert.equal(2, d:count())
    assert.same({nil, "changed"}, {d:set("a", 1, one)})
    assert.equal(0, select("#", d:change(function() end)))
  end)

  it("is done again when something read has changed, also what was not there", function()
    local d <close> = open()
    d:set("a", 1)
    for _, meddle in ipairs{
      function() d:set("a", 2) end,
      function() d:set("new", 1) end,
      function() d:delete("a") end,
      function() d:set("a", 1) d:delete("new") end,
      function() d:clear() end,
    } do
      local runs = 0
      assert.equal(2, d:change(function(t)
        runs = runs + 1
        t:get("a")
        t:get("new")
        t:set("result", runs)
        if runs == 1 then meddle() end
        return runs
      end))
      assert.equal(2, d:get("result"))
    end
    local runs = 0 -- only what was read: a blind write is none
    d:change(function(t)
      runs = runs + 1
      t:set("a", runs)
      d:set("a", 100)
    end)
    assert.same({1, 1}, {runs, (d:get("a"))})
    runs = 0 -- and without any write what it has read was there together
    assert.equal(2, d:change(function(t)
      runs = runs + 1
      local a = t:get("a")
      if runs == 1 then d:set("a", 7) end
      return a and runs
    end))
  end)

  it("is done again when it has read a name twice, and not the same", function()
    local d <close> = open()
    d:set("a", 1)
    local runs = 0
    assert.same({3, 3}, {d:change(function(t)
      runs = runs + 1
      local first = t:get("a")
      if runs < 3 then d:add("a", 1) end
      return first, (t:get("a"))
    end)})
    runs = 0
    assert.same({2}, {d:change(function(t) -- it came and went
      runs = runs + 1
      t:get("b")
      if runs == 1 then d:set("b", 1) end
      t:get("b")
      d:delete("b")
      return runs
    end)})
  end)

  it("passes an error, and has changed nothing; one of what never was together is none", function()
    local d <close> = open()
    d:set("a", 1)
    local object = {}
    local function failing(err)
      return function(t)
        t:set("a", 5)
        t:delete("b")
        t:get("a")
        error(err, 0)
      end
    end
    local ok, err = pcall(d.change, d, failing(object))
    assert.is_true(not ok and rawequal(err, object))
    assert.error_matches(function() d:change(failing("no!")) end, "^no!$")
    assert.error_matches(function() d:change(function(t) t:set("x", print) end) end, "cannot encode")
    assert.error_matches(function() d:change(function(t) t:set("x") end) end, "value expected")
    assert.error_matches(function() d:change(function(t) t:get("") end) end, "name must have")
    assert.error_matches(function() d:change(function(t) t:delete("") end) end, "name must have")
    assert.error_matches(function() d:change(function(t) t:set("x", 1, {tl = 1}) end) end, "unknown option 'tl'")
    assert.error(function() d:change(5) end)
    assert.same({1, 1}, {(d:get("a")), d:count()})
    local runs = 0
    assert.equal(2, d:change(function(t)
      runs = runs + 1
      local a = t:get("a")
      if runs == 1 then
        d:set("a", 2)
        error("torn")
      end
      return a
    end))
  end)

  it("is over when the function has ended", function()
    local d <close> = open()
    local kept
    d:change(function(t) kept = t end)
    for _, call in ipairs{"get", "set", "delete"} do
      assert.error_matches(function() kept[call](kept, "x", 1) end, "change is over")
    end
    assert.error_matches(function() kept.get({}, "x") end, "ipc.Change expected")
  end)

  it("may wait, and be cancelled", function()
    local d <close> = open()
    local gate <close> = ipc.queue(ipc.private)
    local runs = 0
    local t = ipc.task(function()
      return d:change(function(change)
        runs = runs + 1
        local a = change:get("a") or 0
        if runs == 1 then gate:receive() end
        change:set("a", a + 1)
        return a + 1
      end)
    end)
    waits.settle()
    d:set("a", 10)
    gate:send(1, "go on")
    assert.same({true, 11}, {t:join(PATIENCE)})
    local never = ipc.task(function()
      return d:change(function(change)
        change:set("a", change:get("a") + 1)
        gate:receive()
      end)
    end)
    waits.settle()
    never:cancel()
    assert.same({false, ipc.cancelled}, {never:join(PATIENCE)})
    assert.equal(11, d:get("a"))
  end)

  it("that has no room leaves everything as it was", function()
    local d <close> = open{size = 65536, codec = "raw"}
    d:set("a", "old")
    local most = d:stat().max_value
    local ok, why, code = d:change(function(t)
      t:set("a", "new")
      for i = 1, 6 do t:set("x" .. i, ("x"):rep(most)) end
      t:delete("b")
    end)
    assert.same({nil, ENOSPC}, {ok, code})
    assert.matches("is full: size=65536", why)
    ok, why, code = d:change(function(t)
      t:set("a", "new")
      t:set("x", ("x"):rep(most + 1))
    end)
    assert.same({nil, EMSGSIZE}, {ok, code})
    assert.matches(("value of %d bytes is over the limit of %d bytes %%(name 'x'"):format(most + 1, most), why)
    assert.same({"old", 1}, {(d:get("a")), d:count()})
    for i = 1, 3 do assert.truthy(d:set("x" .. i, ("x"):rep(most))) end
    assert.is_true(d:change(function(t) -- what is deleted makes room for what is set
      for i = 1, 3 do
        t:set("y" .. i, ("y"):rep(most))
        t:delete("x" .. i)
      end
      return true
    end))
    assert.equal(4, d:count())
  end)

  it("can set names for a time, which then are as if they were deleted", function()
    local d <close> = open()
    d:change(function(t)
      for i = 1, 5 do t:set("x" .. i, i, {ttl = 0.02}) end
      t:set("kept", 1, {ttl = 1000})
      t:set("y", 1)
    end)
    for i = 1, 5 do d:wait("x" .. i, select(2, d:get("x" .. i)) or 1, PATIENCE) end
    assert.equal(2, d:count())
    d:change(function(t)
      assert.is_nil(t:get("x1"))
      t:set("kept", 2)
    end)
    assert.equal(2, d:get("kept"))
  end)

  it("is told to all that wait, however many names it has", function()
    local d <close> = open()
    for _, count in ipairs{3, 200} do
      local tasks = {}
      for i = 1, count do
        local version = d:set("x" .. i, 0)
        tasks[i] = ipc.task(function() return d:wait("x" .. i, version, PATIENCE) end)
      end
      local child <close> = assert(ipc.process(function(channel)
        local _, version = d:get("x2")
        channel:send("here")
        channel:send{d:wait("x2", version, PATIENCE)}
      end))
      assert.equal("here", child.channel:receive(PATIENCE))
      d:change(function(t)
        for i = 1, count do
          if i == 1 then t:delete("x1") else t:set("x" .. i, i) end
        end
      end)
      local _, version = d:get("x2")
      assert.same({true, nil, 0}, {tasks[1]:join(PATIENCE)})
      for i = 2, count do assert.same({true, i, version}, {tasks[i]:join(PATIENCE)}) end
      assert.same({2, version}, child.channel:receive(PATIENCE))
      d:clear()
    end
  end)

  it("that meets its own is not endless", function()
    local d <close> = open()
    if engine.remote then return end -- ten thousand questions take long
    d:set("a", 1)
    assert.error_matches(function()
      d:change(function(t)
        t:get("a")
        d:add("a", 1)
        t:set("b", 1)
      end)
    end, "what it reads changed at each of 10000 attempts")
    assert.is_nil(d:get("b"))
  end)

  keyed("of removed or closed data says so", function()
    local d <close> = open()
    local other = open()
    d:set("a", 1)
    assert.error_matches(function()
      other:change(function(t)
        t:set("b", 1)
        other:close()
      end)
    end, "is closed")
    local remover <close> = open()
    assert.same({nil, "removed"}, {d:change(function(t)
      t:set("a", 2)
      remover:remove()
    end)})
    assert.same({nil, "removed"}, {d:change(function(t)
      t:get("a")
      t:set("a", 2)
    end)})
  end)

  it("moves between accounts in four processes, and no coin is lost", function()
    local d <close> = open()
    local TIMES <const> = rounds(engine.remote and 40 or engine.name == "disk" and 20 or 200)
    for i = 1, 10 do d:set("account " .. i, 100) end
    local children = {}
    for i = 1, PROCESSES do
      children[i] = assert(ipc.process(function(channel)
        math.randomseed(i)
        for n = 1, TIMES do
          assert(move(d, "account " .. math.random(10), "account " .. math.random(10), math.random(50)) ~= nil)
          if n % 10 == 0 then
            local sum = 0
            for _, amount in d:each("account ") do sum = sum + amount end
            assert(sum == 1000, "the snapshot has " .. sum)
            sum = d:change(function(t)
              local all = 0
              for account = 1, 10 do all = all + t:get("account " .. account) end
              return all
            end)
            assert(sum == 1000, "the change has " .. sum)
          end
        end
        channel:send("done")
      end))
    end
    for _, child in ipairs(children) do assert.equal("done", child.channel:receive(60)) end
    local sum = 0
    for _, amount in d:each() do sum = sum + amount end
    assert.equal(1000, sum)
  end)

  it("survives kills of processes in the middle of it #slow", function()
    local d <close> = open()
    local KILLS <const> = rounds((engine.remote or engine.name == "disk") and 10 or 40)
    for i = 1, 10 do d:set("account " .. i, 100) end
    local function work(channel)
      channel:send("ready")
      while true do
        local from, to = math.random(10), math.random(10)
        d:change(function(t) -- each leaves a slip with a number of its own: slips and count belong together
          local a, b, n = t:get("account " .. from), t:get("account " .. to), t:get("moves") or 0
          if from ~= to then
            t:set("account " .. from, a - 1)
            t:set("account " .. to, b + 1)
          end
          t:set("moves", n + 1)
          t:set("slip " .. n % 50, n)
        end)
      end
    end
    for _ = 1, KILLS do
      local child <close> = assert(ipc.process(work))
      assert.equal("ready", child.channel:receive(PATIENCE))
      ipc.sleep(math.random() * 0.005) -- any moment: there is no event for the middle of a change
      child:signal("KILL")
      child:wait()
      local sum, moves, last = 0, d:get("moves") or 0, -1
      for name, value in d:each() do
        if name:match("^account") then sum = sum + value end
        if name:match("^slip") then last = math.max(last, value) end
      end
      assert.equal(1000, sum)
      assert.equal(moves - 1, last)
    end
    assert.is_true(move(d, "account 1", "account 2", 0))
  end)
end)
