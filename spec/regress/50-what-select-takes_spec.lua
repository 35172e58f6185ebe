-- SPDX-License-Identifier: MIT
-- Select sized the memory of its operations, and then ran user code, which could add cases: it wrote behind the end.
-- What a case waited for could be closed meanwhile, by a codec, a finaliser or a listener, and select read what was
-- freed. A codec that received something while its message was encoded became the operation of the case. Methods
-- written in Lua, and those that do more than wait, were taken and did half of their work, though another case won. A
-- timeout in a case was overlooked, and no case at all waited for ever.

local ipc = require "ipc"
local waits = require "spec.support.waits"

local function codec(encode)
  return {encode = encode, decode = function(bytes) return bytes end}
end

local function queue(encode)
  return assert(ipc.queue(ipc.private, encode and {codec = codec(encode)}))
end

local function refused(text, cases, ...)
  local ok, problem = pcall(ipc.select, cases, ...)
  assert.is_false(ok)
  assert.matches(text, problem)
end

describe("select", function()
  describe("while it collects its cases", function()
    it("knows those that it began with, whatever a codec adds or takes away", function()
      local b = queue()
      local cases = {}
      local c <close> = queue(function()
        for i = 1, 300 do cases["more " .. i] = b end
        cases[2], cases[3] = nil, nil
        return "bytes"
      end)
      cases[1], cases[2], cases[3] = {c, "send", 1, "x"}, b, {b, "receive", 2}
      b:send(2, "there")
      assert.same({1, true}, {ipc.select(cases, 0)})
      local received = {ipc.select({there = b}, 0)}
      assert.same({"there", "there", 2}, received)
      b:close()
    end)

    it("runs no metamethod of a case, and takes no object of the user's", function()
      local ran
      local mine = setmetatable({}, {
        __wait = "receive", __index = function() ran = true return print end,
        __len = function() ran = true return 1 end,
      })
      refused("case 1: must be an object that waits", {mine})
      refused("case 1: the method 'receive' of table cannot be a case", {{mine, "receive"}})
      assert.is_nil(ran)
    end)

    it("refuses what a codec closes, before and behind it", function()
      local first, last = queue(), queue()
      local closer <close> = queue(function()
        first:close()
        last:close()
        collectgarbage()
        return "bytes"
      end)
      refused("case 1: it was closed meanwhile", {first, {closer, "send", 1, "x"}}, 0)
      first, last = queue(), queue()
      refused("case 3: queue .* is closed", {first, {closer, "send", 1, "x"}, last}, 0)
    end)

    it("is not deceived by what a codec receives, sends and selects", function()
      local a, b = queue(), queue()
      local nested <close> = queue(function()
        a:send(1, "inner")
        assert.same({1, "inner", 1}, {ipc.select({a, b}, 0)})
        return (b:receive(0, 0))
      end)
      b:send(1, "bytes")
      assert.same({2, true}, {ipc.select({a, {nested, "send", 3, "x"}}, 0)})
      assert.same({"bytes", 3}, {nested:receive(0, 0)})
      local direct <close> = queue(a.receive) -- a method as a codec
      a:send(1, "encoded")
      assert.same({1, true}, {ipc.select({{direct, "send", 1, a}}, 0)})
      assert.same({"encoded", 1}, {direct:receive(0, 0)})
      a:close()
      b:close()
    end)

    it("is not deceived by a finaliser", function()
      local a, b = queue(), queue()
      local calls = 0
      local function litter()
        setmetatable({}, {__gc = function()
          calls = calls + 1
          a:send(1, "from a finaliser")
          a:receive(0, 0)
        end})
      end
      local c <close> = queue(function()
        litter()
        waits.collect()
        return "bytes"
      end)
      assert.same({2, true}, {ipc.select({b, {c, "send", 1, "x"}, a}, 0)})
      assert.is_true(calls > 0)
      a:close()
      b:close()
    end)

    it("forgets all when a later one is wrong", function()
      local x, y = ipc.stream_channel_pair()
      local _ <close> = x
    local _ <close> = y
      for _ = 1, 100 do -- each has a copy of the descriptor
        refused("case 2: must be", {{x, "send_handle", io.stdout}, 5})
      end
      waits.collect()
      local failing <close> = queue(function() error({"no string"}) end)
      local ok, problem = pcall(ipc.select, {x, {failing, "send", 1, "m"}})
      assert.same({false, {"no string"}}, {ok, problem})
    local odd <close> = queue(function() error(42) end)
    assert.same({false, 42}, {pcall(ipc.select, {x, {odd, "send", 1, "m"}})})
      y:send("still there")
      assert.same({1, "still there"}, {ipc.select({x, y}, 0)})
    end)

    it("lets two tasks have the same table, which the first changes", function()
      local q <close> = queue()
      local case = {q, "receive", 1}
      local cases = {case}
      local first = waits.waiting(ipc.select, cases, waits.PATIENCE)
      case[3] = 2
      local second = waits.waiting(ipc.select, cases, waits.PATIENCE)
      cases[1] = nil
      q:send(2, "two")
      q:send(1, "one")
      assert.same({true, 1, "one", 1}, {first:join(waits.PATIENCE)})
      assert.same({true, 1, "two", 2}, {second:join(waits.PATIENCE)})
    end)
  end)

  it("takes no method that does more than wait, and leaves it undone", function()
    local q <close> = queue()
    local s <close> = assert(ipc.semaphore(ipc.private, 1))
    local child <close> = assert(ipc.process {"cat", stdin = "pipe"})
    local victim <close> = waits.waiting(ipc.sleep, 1000)
    local timer <close> = ipc.timer(1000)
    q:send(1, "m")
    for key, case in pairs {
      ["child"] = {child, "close"}, ["task"] = {victim, "close"}, ["cancel"] = {victim, "cancel"},
      ["try"] = {s, "try_acquire"}, ["removed"] = {s, "remove"},
      ["stop"] = {timer, "stop"}, ["signal"] = {child, "signal", "TERM"}, ["removal"] = {q, "remove"},
    } do
      refused(("case '%s': the method '%s' of ipc%%.%%a+ cannot be a case: make it a task"):format(key, case[2]),
        {q, [key] = case})
    end
    assert.equal("waiting", victim:status())
    assert.equal(1, #q)
    assert.same({nil, "timeout"}, {child:wait(0)})
  end)

  it("takes no method that is written in Lua", function()
    local pool <close> = require "ipc.pool".new {workers = 1}
    local supervisor = require "ipc.supervisor".new {children = {}}
    refused("case 'm': the method 'map' of ipc.Pool cannot be a case", {m = {pool, "map", {1}, print}})
    refused("case 1: the method 'run' of ipc.Supervisor cannot be a case", {{supervisor, "run"}})
    refused("case 1: the method 'get' of table cannot be a case", {{{get = print}, "get"}})
    refused("case 1: must be an object that waits or .*, got ipc.Pool", {pool})
    local ended <close> = ipc.task(supervisor.run, supervisor)
    assert.same({"ended", true, "ended"}, {ipc.select({ended = ended}, waits.PATIENCE)})
  end)

  it("takes no case without arguments that it needs", function()
    local memory <close> = assert(ipc.shared_memory(ipc.private, 1))
    refused("case 1: must be an object that waits or .*, got ipc.SharedMemory", {memory})
    refused("case 1: must be an object that waits", {{memory}})
    refused("case 1: ", {{memory, "wait"}})
  end)

  it("takes no timeout in a case, nor a field that it does not know", function()
    local q <close> = queue()
    local lock <close> = ipc.semaphore(ipc.private, 1)
    local x, y = ipc.stream_channel_pair()
    local _ <close> = x
    local _ <close> = y
    refused("case 'fast': it has a timeout of its own", {fast = {x, "receive", 0.05}, other = q}, 0)
    refused("case 1: it has a timeout of its own", {{q, "receive", nil, 0}}, 0)
    refused("case 1: it has a timeout of its own", {{q, "send", 1, "m", 1}}, 0)
    refused("case 1: it has a timeout of its own", {{lock, "hold", 1}}, 0)
    refused("case 1: it has a timeout of its own", {{ipc.task(print), "join", 1}}, 0)
    refused("case 1: a case has no field 'timeout'", {{q, "receive", timeout = 1}}, 0)
    refused("case 1: a case has no field 4", {{q, "receive", [4] = 1}}, 0)
    assert.equal(0, #q)
    local one = {}
    one[4], one[3], one[2], one[1] = "m", 1, "send", q -- in the other half of the table
    assert.same({1, true}, {ipc.select({one}, 0)})
  end)

  it("names the case that is wrong, and the argument", function()
    local q <close> = queue()
    refused("select: case 'x': bad argument #1 to 'send' %(type must be 1 or more", {x = {q, "send", 0, "m"}})
    refused("select: case 3: bad argument #2 to 'send' %(value expected", {q, q, {q, "send", 1}})
    refused("select: case 2: must be .*, got function", {q, print})
    refused("select: case table: must be .*, got number", {[{}] = 1})
    refused("select: there is no case", {})
    refused("select: there is no case", {}, 1)
    local _, problem = pcall(function() ipc.select {} end)
    assert.matches("spec.lua:%d+: select", problem)
  end)

  it("keeps no descriptor of a case that has lost, or when it ends otherwise", function()
    local function descriptors()
      local pipe <close> = assert(io.popen(("ls /proc/%d/fd"):format(ipc.pid())))
      return select(2, pipe:read("a"):gsub("\n", ""))
    end
    local x, y = ipc.stream_channel_pair()
    local _ <close> = x
    local _ <close> = y
    local q <close> = queue()
    while x:send(("x"):rep(60000), 0) do end -- so that it has to wait
    collectgarbage("stop")
    finally(function() collectgarbage("restart") end)
    local before, cases = descriptors(), {q, {x, "send_handle", io.stdout}}
    for _ = 1, 20 do
      q:send(1, "m")
      assert.same({1, "m", 1}, {ipc.select(cases)})
      assert.same({nil, "timeout"}, {ipc.select(cases, 0)})
      assert.same({nil, "timeout"}, {ipc.select(cases, 0.0001)})
      local t = waits.waiting(ipc.select, cases)
      t:cancel()
      t:join(waits.PATIENCE)
      refused("case 3", {q, cases[2], 42})
    end
    assert.is_true(descriptors() < before + 20) -- the runtime has some of its own, when it needs them
  end)

  it("has an outcome for what is over without a wait", function()
    local x, y = ipc.stream_channel_pair {max_message = 10}
    local _ <close> = x
    local _ <close> = y
    local which, sent, problem = ipc.select({y, large = {x, "send", ("x"):rep(100)}})
    assert.same({"large", nil}, {which, sent})
    assert.matches("over this channel's limit of 10 bytes", problem)
    x:send("first")
    assert.same({1, "first"}, {ipc.select({y, {x, "send", ("x"):rep(100)}})})
  end)
end)
