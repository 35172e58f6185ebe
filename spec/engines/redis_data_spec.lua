-- SPDX-License-Identifier: MIT
-- Shared data on a server: sums, going through it, its size, and how often the server is asked.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE, waiting, settle = waits.PATIENCE, waits.waiting, waits.settle
local SANITIZED = os.getenv("IPC_SANITIZE")
local HIGH, LOW = math.maxinteger, math.mininteger

local missing = engines.redis.missing

describe("on a redis server,", function()
  if missing then return pending(missing) end

  local server
  setup(function() server = redis_process() end)
  teardown(function() server:close() end)
  after_each(function() server:cli("flushall") end)

  local function open_data(options) return assert(ipc.shared_data(server:key("x"), options)) end

  local function all(count, fn)
    local children = {}
    for i = 1, count do
      children[i] = assert(ipc.process(function(channel)
        channel:receive()
        fn(i)
        channel:send("done")
      end))
    end
    for _, child in ipairs(children) do child.channel:send("go") end
    for _, child in ipairs(children) do
      assert.equal("done", child.channel:receive(3 * PATIENCE))
      assert.is_true(child:wait(PATIENCE))
    end
  end

  describe("shared data", function()
    it("adds exactly, wherever the sum is made", function()
      local d <close> = open_data()
      local mine = 0
      local starts = {0, 1, -1, 100000000000000, (1 << 53) - 1, 1 << 53, -(1 << 53) - 1, HIGH, LOW, HIGH - 5, LOW + 5}
      for _, start in ipairs(starts) do
        for _, n in ipairs{0, 1, -1, 999999999999999, 1000000000000000, -(1 << 53), 1 << 62, HIGH, LOW} do
          mine = mine + 1
          d:set("n" .. mine, start)
          assert.equal(start + n, d:add("n" .. mine, n))
          assert.equal(start + n, (d:get("n" .. mine)))
          assert.equal(n, d:add("new " .. mine, n))
        end
      end
    end)

    it("adds to what other programs wrote, and to floats", function()
      local d <close> = open_data()
      for _, value in ipairs{"1e2", "12345678901234567890", "1.5", "-0", "0"} do
        d:set("x", 1)
        local version = select(2, d:get("x"))
        server:cli(("hset 'ipclua:{x}:data:values' x %d:%s"):format(version, value))
        local before = d:get("x")
        assert.equal(before + 1, d:add("x", 1))
        assert.equal(before + 1.5, d:add("x", 0.5))
      end
      server:cli("hset 'ipclua:{x}:data:values' x '7:\"text\"'")
      assert.error_matches(function() d:add("x", 1) end, "'x' of shared data .* is a string, not a number")
    end)

    it("counts exactly in four processes, with sums that wrap around", function()
      local times = SANITIZED and 100 or 500
      local d <close> = open_data()
      d:set("high", HIGH - times)
      d:set("low", LOW + times)
      all(4, function()
        for _ = 1, times do
          d:add("high", 1)
          d:add("low", -1)
          d:add("float", 0.5)
          d:update("list", function(list)
            list = list or {0}
            list[1] = list[1] + 1
            return list
          end)
        end
      end)
      assert.equal(HIGH + 3 * times, (d:get("high")))
      assert.equal(LOW - 3 * times, (d:get("low")))
      assert.equal(2 * times, (d:get("float")))
      assert.equal(4 * times, d:get("list")[1])
    end)

    it("gives each of many tasks its own answer, over one connection", function()
      local d <close> = open_data()
      local tasks = {}
      for i = 1, 500 do
        tasks[i] = ipc.task(function()
          for round = 1, 3 do
            local version = d:set("name " .. i, {i, round})
            local value, got = d:get("name " .. i)
            assert(value[1] == i and value[2] == round and got == version)
          end
          return d:add("sum", i)
        end)
      end
      for i = 1, 500 do assert.is_true(tasks[i]:join(PATIENCE)) end
      assert.equal(500 * 501 // 2, (d:get("sum")))
      assert.equal(501, d:count())
    end)

    it("is gone through in the order of names, however many there are #slow", function()
      local count = SANITIZED and 5000 or 100000
      local d <close> = open_data{size = 16 << 20}
      local group = 100
      local function fill(first)
        for i = first, count, group do d:set(("%07d"):format(i * 7919 % count), i) end
      end
      local tasks = {}
      for i = 1, group do tasks[i] = ipc.task(fill, i) end
      for i = 1, group do assert.is_true(tasks[i]:join(6 * PATIENCE)) end
      local n = 0
      for name, value in pairs(d) do
        if name ~= ("%07d"):format(n) or value * 7919 % count ~= n then error(name) end
        n = n + 1
      end
      assert.equal(count, n)
      assert.equal(count, d:count())
      local calls = tonumber(server:cli("info commandstats"):match("zrangebylex:calls=(%d+)"))
      assert.is_true(calls < count / 50)
    end)

    it("is gone through by many at the same time, while each changes it", function()
      local d <close> = open_data()
      for i = 1, 1000 do d:set(("%04d"):format(i), 0) end
      local tasks = {}
      for i = 1, 10 do
        tasks[i] = ipc.task(function()
          local n, last = 0, ""
          for name in pairs(d) do
            assert(name > last)
            last = name
            if name:match("^%d+$") then
              n = n + 1
              if n % 10 == i - 1 then d:add(name, 1) end
              if n % 100 == i then d:set(name .. " of " .. i, i) end
            end
          end
          return n
        end)
      end
      for i = 1, 10 do assert.same({true, 1000}, {tasks[i]:join(3 * PATIENCE)}) end
      for i = 1, 1000 do assert.equal(1, (d:get(("%04d"):format(i)))) end
    end)

    it("shows no name again that this handle has deleted, and no value that it has set since", function()
      local d <close> = open_data()
      for i = 1, 100 do d:set(("%03d"):format(i), i) end
      local seen = {}
      for name, value in pairs(d) do
        seen[#seen + 1] = value
        d:delete(name)
        if value == 10 then
          for i = 20, 29 do d:delete(("%03d"):format(i)) end
          for i = 30, 39 do d:set(("%03d"):format(i), -i) end
        end
      end
      local expected = {}
      for i = 1, 100 do
        if i < 20 or i > 39 then expected[#expected + 1] = i elseif i >= 30 then expected[#expected + 1] = -i end
      end
      assert.same(expected, seen)
      assert.equal(0, d:count())
    end)

    it("with large values is fetched a few at a time", function()
      local d <close> = open_data{codec = "raw"}
      local large = ("x"):rep(300000)
      for i = 1, 12 do d:set("large " .. i, large) end
      for i = 1, 50 do d:set("small " .. i, "") end
      local n = 0
      for _, value in pairs(d) do
        assert(value == large or value == "")
        n = n + 1
      end
      assert.equal(62, n)
    end)

    it("has as much as its size, in bytes of names and values", function()
      local d <close> = open_data{size = 65536, codec = "raw"}
      for i = 0, 3 do assert.truthy(d:set("name" .. i, ("x"):rep(16379))) end
      assert.equal(65536, d:stat().used)
      assert.same({nil, 28}, {d:set("y", ""), select(3, d:set("y", ""))})
      assert.truthy(d:set("name1", "short"))
      assert.equal(65536 - 16379 + 5, d:stat().used)
      for i = 0, 3 do d:delete("name" .. i) end
      assert.equal(0, d:stat().used)
    end)

    it("that was deleted by hand is removed, for waiters, too, and may be made anew", function()
      local d <close> = open_data()
      d:set("x", 1)
      local t = waiting(function() return d:wait("y", 0, PATIENCE) end)
      d:get("x")
      server:cli("del 'ipclua:{x}:data:values' 'ipclua:{x}:data:names'")
      assert.same({nil, "removed"}, {d:get("x")})
      local new <close> = open_data()
      new:set("y", 5)
      assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
      assert.same({nil, "removed"}, {d:set("y", 1)})
      assert.matches("removed%)$", tostring(d))
      assert.equal(5, (new:get("y")))
    end)

    it("of one prefix is not that of another", function()
      local d <close> = open_data()
      local other <close> = assert(ipc.shared_data(server:key("x", nil, "&prefix=other")))
      d:set("x", 1)
      assert.is_nil(other:get("x"))
    end)
  end)

  it("waits are over one channel, and end with their last waiter", function()
    local d <close> = open_data()
    local tasks = {}
    for i = 1, 1000 do tasks[i] = ipc.task(function() return d:wait("n" .. i % 100, 0, PATIENCE) end) end
    settle()
    for i = 0, 99 do d:set("n" .. i, i) end
    for i = 1, 1000 do assert.same({true, i % 100}, {table.unpack({tasks[i]:join(PATIENCE)}, 1, 2)}) end
    assert.equal(0, d:stat().waiters)
    local other <close> = open_data()
    for i = 1, 300 do other:set("z", i) end
    local function listening() return server:cli("pubsub channels"):match("data:changed") end
    local deadline = ipc.now() + PATIENCE
    while listening() and ipc.now() < deadline do other:set("z", 1) end
    assert.is_nil(listening())
    local t = waiting(function() return d:wait("again", 0, PATIENCE) end)
    other:set("again", 1)
    assert.is_true(t:join(PATIENCE))
  end)
end)
