-- SPDX-License-Identifier: MIT
-- What shared data promises on every engine to a wait for a name to change: no change is missed, none is imagined.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE, settle, waiting = waits.PATIENCE, waits.settle, waits.waiting
local SANITIZED = waits.SANITIZED

-- Long enough for the loop to have blocked: nothing tells of that.
local function sleep_in_kernel() ipc.sleep(0.002) end

contract.each(_ENV, "waiting for shared data", ipc.shared_data, function(engine, open, keyed)
  it("does not wait when the version is another already", function()
    local d <close> = open()
    local one = d:set("x", 1)
    assert.same({1, one}, {d:wait("x", 0)})
    assert.same({1, one}, {d:wait("x")})
    assert.same({1, one}, {d:wait("x", one + 5, 0)})
    assert.same({nil, "timeout"}, {d:wait("x", one, 0)})
    d:delete("x")
    assert.same({nil, 0}, {d:wait("x", one)})
    assert.same({nil, "timeout"}, {d:wait("x", 0, 0)})
    for _, version in ipairs{-1, 1.5, "x", {}} do assert.error(function() d:wait("x", version) end) end
    for _, timeout in ipairs{-1, "x", 0 / 0} do assert.error(function() d:wait("x", one, timeout) end) end
  end)

  it("ends when another task sets, adds, updates or deletes it", function()
    local d <close> = open()
    local function set() d:set("x", 2) end
    local function add() d:add("x", 1) end
    local function update() d:update("x", function(n) return n + 1 end) end
    local function delete() d:delete("x") end
    local expected = {2, 3, 4, nil}
    for i, change in ipairs{set, add, update, delete} do
      for _, pause in ipairs{settle, sleep_in_kernel} do
        d:set("x", i == 1 and 1 or i)
        local version = select(2, d:get("x"))
        local t = waiting(function() return d:wait("x", version, PATIENCE) end)
        pause()
        d:set("y", i)
        settle()
        assert.equal("waiting", t:status())
        change()
        local ok, value, later = t:join(PATIENCE)
        assert.same({true, expected[i]}, {ok, value})
        assert.equal(i == 4 and 0 or select(2, d:get("x")), later)
      end
    end
  end)

  it("ends when another process sets it", function()
    local d <close> = open()
    local child <close> = assert(ipc.process(function(channel)
      for i in channel:messages() do d:set("x", i) end
    end))
    local version = 0
    for i = 1, 20 do
      local t = waiting(function() return d:wait("x", version, PATIENCE) end)
      if i % 2 == 0 then sleep_in_kernel() end
      child.channel:send(i)
      local ok, value, later = t:join(PATIENCE)
      assert.same({true, i}, {ok, value})
      assert.is_true(later > version)
      version = later
    end
  end)

  it("ends in another process that waits when this one sets it", function()
    local d <close> = open()
    local child <close> = assert(ipc.process(function(channel)
      local version = 0
      channel:send("ready")
      while true do
        local value, later = d:wait("x", version)
        version = later
        channel:send(value)
        if value == 20 then return end
      end
    end))
    assert.equal("ready", child.channel:receive(PATIENCE))
    for i = 1, 20 do
      if i % 2 == 0 then assert.same({nil, "timeout"}, {child.channel:receive(0.002)}) end -- it sleeps by now
      d:set("x", i)
      assert.equal(i, child.channel:receive(PATIENCE))
    end
    assert.is_true(child:wait(PATIENCE))
  end)

  it("times out, not too early, and leaves nothing behind", function()
    local d <close> = open()
    local version = d:set("x", 1)
    for _, seconds in ipairs{0, 0.001, 0.02} do
      local start = ipc.now()
      assert.same({nil, "timeout"}, {d:wait("x", version, seconds)})
      assert.is_true(ipc.now() - start >= seconds)
      local t = ipc.task(function() return d:wait("x", version, seconds) end)
      assert.same({true, nil, "timeout"}, {t:join(PATIENCE)})
      assert.equal(0, d:stat().waiters)
    end
  end)

  it("can be cancelled", function()
    local d <close> = open()
    for _, pause in ipairs{settle, sleep_in_kernel} do
      local t = waiting(function() return d:wait("x", 0) end)
      pause()
      assert.equal(1, d:stat().waiters)
      t:cancel()
      assert.same({false, ipc.cancelled}, {t:join(PATIENCE)})
      assert.equal(0, d:stat().waiters)
    end
  end)

  it("wakes each of many with its own name", function()
    local d <close> = open()
    local tasks = {}
    for i = 1, 60 do
      tasks[i] = waiting(function() return d:wait("name " .. i % 20, 0, PATIENCE) end)
    end
    sleep_in_kernel()
    assert.equal(60, d:stat().waiters)
    for n = 19, 0, -1 do
      d:set("name " .. n, n)
      for i = 1, 60 do
        if i % 20 == n then assert.same({true, n}, {table.unpack({tasks[i]:join(PATIENCE)}, 1, 2)}) end
      end
      assert.equal(3 * n, d:stat().waiters)
    end
  end)

  it("is a case of a select", function()
    local d <close> = open()
    local other <close> = assert(ipc.shared_data(engine.key()))
    local cases = {a = {d, "wait", "a", 0}, b = {other, "wait", "b", 0}, c = {d, "wait", "c"}}
    assert.same({nil, "timeout"}, {ipc.select(cases, 0)})
    assert.same({nil, "timeout"}, {ipc.select(cases, 0.003)})
    local t = waiting(ipc.select, cases, PATIENCE)
    sleep_in_kernel()
    local version = other:set("b", "here")
    assert.same({true, "b", "here", version}, {t:join(PATIENCE)})
    assert.same({0, 0}, {d:stat().waiters, other:stat().waiters})
    assert.same({"b", "here", version}, {ipc.select(cases)})
    other:delete("b")
    t = waiting(ipc.select, cases, PATIENCE)
    version = d:set("c", 1)
    assert.same({true, "c", 1, version}, {t:join(PATIENCE)})
    assert.error_matches(function() ipc.select{d} end, "must be an object that waits or")
  end)

  it("is not woken by the name it does not wait for, however often that changes", function()
    local d <close> = open()
    local t = waiting(function() return d:wait("x", 0) end)
    local child <close> = assert(ipc.process(function()
      for i = 1, 500 do d:set("y", i) end
    end))
    assert.is_true(child:wait(PATIENCE))
    assert.equal("waiting", t:status())
    assert.equal(500, d:get("y"))
    d:set("x", 1)
    assert.is_true(t:join(PATIENCE))
  end)

  it("misses no last change, however the two fall together", function()
    local d <close> = open()
    local rounds = SANITIZED and 100 or 1500
    local child <close> = assert(ipc.process(function()
      local version = 0
      for i = 1, rounds do
        repeat
          local value, later = assert(d:wait("ping", version, PATIENCE))
          version = later
        until value == i
        d:set("pong", i)
      end
    end))
    local version = 0
    for i = 1, rounds do
      d:set("ping", i)
      local value, later = d:wait("pong", version, PATIENCE)
      assert.equal(i, value)
      version = later
    end
    assert.is_true(child:wait(PATIENCE))
  end)

  describe("ends", function()
    it("with its handle", function()
      local d = open()
      for _, pause in ipairs{settle, sleep_in_kernel} do
        local tasks = {
          waiting(function() return d:wait("x", 0, PATIENCE) end),
          waiting(function() return ipc.select({{d, "wait", "y", 0}, {d, "wait", "z", 0}}, PATIENCE) end),
        }
        pause()
        d:close()
        assert.same({true, nil, "closed"}, {tasks[1]:join(PATIENCE)})
        assert.same({true, 1, nil, "closed"}, {tasks[2]:join(PATIENCE)})
        d = open()
      end
      d:close()
    end)

    keyed("with its own handle only", function()
      local d, other <close> = open(), open()
      local t = waiting(function() return d:wait("x", 0, PATIENCE) end)
      local u = waiting(function() return other:wait("x", 0, PATIENCE) end)
      sleep_in_kernel()
      d:close()
      assert.same({true, nil, "closed"}, {t:join(PATIENCE)})
      assert.equal("waiting", u:status())
      other:set("x", 1)
      assert.is_true(u:join(PATIENCE))
    end)

    it("when the data is removed, here and in other processes", function()
      local d <close> = open()
      local child <close> = assert(ipc.process(function(channel)
        local t = waiting(function() return d:wait("x", 0) end)
        channel:send("waiting")
        channel:send{select(2, t:join()) or "nil", select(3, t:join())}
      end))
      assert.equal("waiting", child.channel:receive(PATIENCE))
      assert.same({nil, "timeout"}, {child.channel:receive(0.002)}) -- it sleeps by now
      local t = waiting(function() return d:wait("x", 0, PATIENCE) end)
      sleep_in_kernel()
      assert.is_true(d:remove())
      assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
      assert.same({"nil", "removed"}, child.channel:receive(PATIENCE))
      assert.same({nil, "removed"}, {d:wait("x", 0, PATIENCE)})
    end)
  end)
end)
