-- SPDX-License-Identifier: MIT
-- What shared data promises on every engine of names that are gone after a time. That they are is seen by a wait, which
-- ends when they go: nothing here depends on how long a step takes.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local ENOSPC = 28
local PATIENCE = waits.PATIENCE
local SHORT, LONG = {ttl = 0.01}, {ttl = 1000}

contract.each(_ENV, "shared data with a ttl", ipc.shared_data, function(_, open, keyed)
  -- Until a name of a version is gone; it may be so already.
  local function gone(d, name, version) assert.same({nil, 0}, {d:wait(name, version, PATIENCE)}) end

  local function names_of(iterate)
    local names = {}
    for name in iterate() do names[#names + 1] = name end
    return table.concat(names, " ")
  end

  local function check(d, expected)
    assert.equal(expected, names_of(function() return pairs(d) end))
    assert.equal(expected, names_of(function() return d:each() end))
    local _, count = expected:gsub("%S+", "")
    assert.same({count, count}, {d:count(), d:stat().names})
  end

  it("has the name until then, and not after it, whatever asks", function()
    local d <close> = open()
    d:set("a", 1, nil, LONG)
    d:set("c", 3)
    local version = d:set("b", 2, nil, SHORT)
    gone(d, "b", version)
    assert.is_nil(d:get("b"))
    assert.same({1, 3}, {(d:get("a")), (d:get("c"))})
    check(d, "a c")
    assert.equal("c", (pairs(d)(d, "a")))
    assert.is_false(d:delete("b"))
    assert.same({nil, "changed"}, {d:set("b", 1, version)})
    assert.same({nil, "changed"}, {d:delete("b", version)})
    assert.same({nil, "timeout"}, {d:wait("b", 0, 0)})
    assert.equal(2, d:clear())
  end)

  it("goes in order of time, and a version never comes again", function()
    local d <close> = open()
    local seen, last = {}, 0
    for round = 1, 5 do
      local versions = {}
      for i = 1, 20 do
        versions[i] = d:set("x" .. i, round, nil, {ttl = (21 - i) / 4000})
        assert.is_true(versions[i] > last)
        last = versions[i]
        assert.is_nil(seen[last])
        seen[last] = true
      end
      for i = 20, 1, -1 do gone(d, "x" .. i, versions[i]) end
      check(d, "")
      assert.truthy(d:set("x1", round, 0))
      d:delete("x1")
    end
  end)

  it("wakes what waits, here and in another process", function()
    local d <close> = open()
    local child <close> = assert(ipc.process(function(channel)
      local version = channel:receive()
      channel:send("waits")
      channel:send{d:wait("x", version, PATIENCE)}
    end))
    local version = d:set("x", 1, nil, {ttl = 0.05})
    child.channel:send(version)
    assert.equal("waits", child.channel:receive(PATIENCE))
    local tasks = {}
    for i = 1, 3 do tasks[i] = ipc.task(function() return d:wait("x", version, PATIENCE) end) end
    local index, value, now = ipc.select({{d, "wait", "x", version}, {d, "wait", "y", 0}}, PATIENCE)
    assert.same({1, nil, 0}, {index, value, now})
    for i = 1, 3 do assert.same({true, nil, 0}, {tasks[i]:join(PATIENCE)}) end
    assert.same({ipc.null, 0}, child.channel:receive(PATIENCE))
  end)

  it("wakes nothing when it was set again with another time", function()
    local d <close> = open()
    local seconds = 0.02
    local first, second, t
    repeat -- until there was time for it
      first = d:set("x", 1, nil, {ttl = seconds})
      t = ipc.task(function() return d:wait("x", first, PATIENCE) end)
      ipc.yield()
      second = d:set("x", 2, first, LONG)
      seconds = seconds * 2
    until second
    assert.same({true, 2, second}, {t:join(PATIENCE)})
    local third = d:set("y", 1, nil, {ttl = 0.03})
    gone(d, "y", third)
    assert.same({2, second}, {d:get("x")})
  end)

  it("set without one stays for ever, add and update keep the time", function()
    local d <close> = open()
    local seconds = 0.05
    local version, results
    repeat -- until the first one was still there behind the others
      version = d:set("none", 1, nil, {ttl = seconds})
      for _, name in ipairs{"set", "add", "update", "float"} do d:set(name, 1, nil, {ttl = seconds}) end
      d:set("set", 2)
      results = {d:add("add", 1), d:add("float", 0.5), d:update("update", function(n) return (n or 0) + 4 end)}
      seconds = seconds * 2
    until d:get("none")
    assert.same({2, 1.5, 5}, results)
    gone(d, "none", version)
    gone(d, "float", select(2, d:get("float")) or version)
    gone(d, "add", select(2, d:get("add")) or version)
    gone(d, "update", select(2, d:get("update")) or version)
    check(d, "set")
    assert.equal(1, d:add("add", 1)) -- from 0, and it stays
    assert.equal("nil", d:update("update", tostring))
    check(d, "add set update")
  end)

  it("gives its room to what is set when it is full", function()
    local d <close> = open{size = 65536, codec = "raw"}
    local kept = d:set("kept", "here")
    local function fill(options)
      local count = 0
      while true do
        local ok, why, code = d:set("x" .. count, ("v"):rep(500), 0, options)
        if not ok then
          assert(code == ENOSPC, why)
          return count
        end
        count = count + 1
      end
    end
    local most = fill(LONG)
    assert.is_true(most > 40)
    for i = 0, most - 1 do d:set("x" .. i, ("v"):rep(500), nil, SHORT) end
    gone(d, "x" .. most - 1, select(2, d:get("x" .. most - 1)) or kept)
    local again = fill(nil)
    assert.is_true(again > most * 0.8, again .. " of " .. most)
    assert.equal("here", d:get("kept"))
    assert.equal(again + 1, d:count())
    assert.equal(again + 1, d:clear())
    check(d, "")
  end)

  it("takes seconds, more than none", function()
    local d <close> = open()
    for _, ttl in ipairs{0, -1, 0 / 0, "1", true} do
      assert.error_matches(function() d:set("x", 1, nil, {ttl = ttl}) end, "ttl must be seconds, more than 0")
    end
    assert.error_matches(function() d:set("x", 1, nil, {time = 1}) end, "unknown option 'time'; it knows ttl")
    assert.error_matches(function() d:set("x", 1, nil, 5) end, "table expected")
    for _, ttl in ipairs{1 / 0, 1e300, 1e9, 1e-9} do assert.truthy(d:set(tostring(ttl), 1, nil, {ttl = ttl})) end
    assert.truthy(d:set("x", 1, nil, {}))
    gone(d, "1e-09", 1)
    check(d, "1000000000.0 1e+300 inf x")
  end)

  it("does not depend on the bytes of a name or value", function()
    local d <close> = open{codec = "raw"}
    local longest = ("\xff"):rep(510)
    for _, name in ipairs{"\0", longest, longest .. "\xfe", ("@"):rep(511), "12@34:56"} do
      d:set(name, "@1:2", nil, LONG)
      assert.equal("@1:2", (d:get(name)))
    end
    assert.error_matches(function() d:get(longest .. "\xff") end, "the name of 511 bytes that are 255 is taken")
    assert.equal(5, d:count())
    local version = d:set(longest, "", nil, SHORT)
    gone(d, longest, version)
    assert.equal(4, d:clear())
  end)

  keyed("is known when it is opened again", function()
    local d = open()
    d:set("a", 1, nil, LONG)
    local version = d:set("b", 1, nil, {ttl = 0.05})
    d:close()
    d = open()
    local other <close> = open()
    gone(other, "b", version)
    check(d, "a")
    assert.truthy(other:set("a", 2))
    check(d, "a")
    d:close()
  end)
end)
