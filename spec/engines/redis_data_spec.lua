-- SPDX-License-Identifier: MIT
-- Shared data and shared memory on a server: what a connection that is cut, a server that is gone, and one that comes
-- back mean for them, and how often the server is asked.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE, waiting, settle = waits.PATIENCE, waits.waiting, waits.settle
local SANITIZED = os.getenv("IPC_SANITIZE")
local ENOMEM, ENOENT, EACCES, EFBIG, ECONNABORTED = 12, 2, 13, 27, 103
local HIGH, LOW = math.maxinteger, math.mininteger

local missing = engines.redis.missing

describe("on a redis server,", function()
  if missing then return pending(missing) end

  local server
  setup(function() server = redis_process() end)
  teardown(function() server:close() end)
  after_each(function() server:cli("flushall") end)

  -- Cuts all connections.
  local function cut()
    server:cli("client kill type normal")
    server:cli("client kill type pubsub")
  end

  -- Nothing that may change anything is answered.
  local function pause() assert.equal("OK", server:cli("client pause 100000 write")) end
  local function unpause() server:cli("client unpause") end

  -- Waits until a request has come while it pauses.
  local function blocked()
    while server:cli("info clients"):match("blocked_clients:(%d+)") == "0" do ipc.sleep(0.005) end
  end

  local function open_data(options) return assert(ipc.shared_data(server:key("x"), options)) end
  local function open_memory(slots) return assert(ipc.shared_memory(server:key("x"), slots or 8)) end

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

    it("that somebody deleted by hand is removed, for who waits, too, and may be made anew", function()
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

  describe("shared memory", function()
    it("has at most as many slots as a server's string has room for", function()
      local m, why, code = ipc.shared_memory(server:key("x"), (1 << 26) - 3)
      assert.same({nil, EFBIG}, {m, code})
      assert.matches("of 67108861 slots", why)
    end)

    it("takes no room for what was never written", function()
      local m <close> = open_memory((1 << 26) - 4)
      m[99] = 1
      assert.equal("832", server:cli("strlen 'ipclua:{x}:memory:slots'"))
      assert.same({0, 1, 0, 0}, {m[98], m[99], m[100], m[#m - 1]})
      assert.same({false, 0}, {m:compare_and_swap(100, 1, 2)})
      assert.is_true(m:compare_and_swap(100, 0, LOW))
      assert.equal(HIGH, m:add(100, -1))
    end)

    it("gives each of many tasks its own answer", function()
      local m <close> = open_memory(1000)
      local tasks = {}
      for i = 0, 999 do
        tasks[i] = ipc.task(function()
          m[i] = i
          assert(m:add(i, HIGH) == i + HIGH)
          assert(m:compare_and_swap(i, i + HIGH, -i))
          return m[i]
        end)
      end
      for i = 0, 999 do assert.same({true, -i}, {tasks[i]:join(PATIENCE)}) end
    end)

    it("cannot be read where nothing can wait", function()
      local m <close> = open_memory()
      local t = ipc.task(pcall, table.sort, {1, 2, 3}, function(a, b) return a + m[0] < b end)
      local _, ok, why = t:join(PATIENCE)
      assert.is_false(ok)
      assert.matches("cannot wait", why)
      assert.equal(0, m[0])
    end)

    it("closed by another task while it is asked, raises in an access, and is told by a method", function()
      local m = open_memory()
      pause()
      local read = waiting(pcall, function() return m[0] end)
      local write = waiting(pcall, function() m[0] = 1 end)
      local add = waiting(function() return m:add(0, 1) end)
      blocked()
      m:close()
      unpause()
      assert.matches("shared memory is closed", select(3, read:join(PATIENCE)))
      assert.matches("shared memory is closed", select(3, write:join(PATIENCE)))
      assert.same({true, nil, "closed"}, {add:join(PATIENCE)})
      local again <close> = open_memory()
      assert.equal(2, again[0]) -- what was asked for is done all the same
    end)
  end)

  describe("a connection that is cut", function()
    local function write(m, slot, value)
      local function try() m[slot] = value end
      if not pcall(try) then try() end -- it may not have known that the connection was cut
    end

    it("is made again, and nobody notices who asks later, or waits", function()
      local d <close> = open_data()
      local m <close> = open_memory()
      local t = waiting(function() return d:wait("x", 0, PATIENCE) end)
      local u = waiting(function() return m:wait(0, 0, PATIENCE) end)
      for i = 1, 5 do
        cut()
        assert.truthy(d:set("y", i) or d:set("y", i)) -- the same
        cut()
        assert.equal(i, (d:get("y")))
        write(m, 1, i)
        cut()
        assert.equal(i, m[1])
      end
      assert.same({"waiting", "waiting"}, {t:status(), u:status()})
      cut()
      server:cli("hset 'ipclua:{x}:data:values' x 5:7") -- nothing is published: looked for when it is back
      cut()
      write(m, 0, 1)
      assert.same({true, 7, 5}, {t:join(PATIENCE)})
      assert.same({true, 1}, {u:join(PATIENCE)})
    end)

    it("while it is asked leaves open what became of a change, and only of that", function()
      local d <close> = open_data()
      local m <close> = open_memory()
      d:set("x", 1)
      pause()
      local changes = {
        waiting(function() return d:set("x", 2) end),
        waiting(function() return d:add("x", 2) end),
        waiting(function() return d:delete("x") end),
        waiting(function() return m:add(0, 1) end),
        waiting(function() return m:compare_and_swap(0, 0, 1) end),
      }
      local access = waiting(pcall, function() m[0] = 5 end)
      local read = waiting(function() return d:get("x") end)
      local count = waiting(function() return d:count() end)
      local look = waiting(function() return m[0] end)
      blocked()
      cut()
      for _, t in ipairs(changes) do
        local ok, value, why, code = t:join(PATIENCE)
        assert.same({true, nil, ECONNABORTED}, {ok, value, code})
        assert.matches("connection lost; it may or may not have happened", why)
      end
      assert.matches("may or may not have happened", select(3, access:join(PATIENCE)))
      unpause()
      assert.same({true, 1}, {table.unpack({read:join(PATIENCE)}, 1, 2)})
      assert.same({true, 1}, {count:join(PATIENCE)})
      assert.same({true, 0}, {look:join(PATIENCE)})
    end)

    it("loses no change that was answered, whoever cuts and when", function()
      local times = SANITIZED and 100 or 1000
      local d <close> = open_data()
      local cutter = assert(ipc.process(function(channel)
        while not channel:receive(0.002) do cut() end
      end))
      local done, open = 0, 0
      for _ = 1, times do
        local sum, why, code = d:add("n", 1)
        if sum then done = done + 1
        elseif code == ECONNABORTED then open = open + 1
        else assert(code, why) end
      end
      cutter.channel:send("enough")
      assert.is_true(cutter:wait(PATIENCE))
      local n = d:get("n")
      assert.is_true(done <= n and n <= done + open, ("%d done, %d open, %d counted"):format(done, open, n))
    end)
  end)

  describe("a server that", function()
    it("is not there says so, at once", function()
      local key = ipc.redis_key("redis+unix:///tmp/there is none?name=x")
      local d, why, code = ipc.shared_data(key)
      assert.same({nil, ENOENT}, {d, code})
      assert.matches("shared data .*: redis server .*: No such file", why)
      assert.same({nil, ENOENT}, {ipc.shared_memory(key, 1), select(3, ipc.shared_memory(key, 1))})
    end)

    it("is killed fails all that is asked, and ends no wait that it comes back for", function()
      local own <close> = redis_process()
      local d <close> = assert(ipc.shared_data(own:key("x")))
      local m <close> = assert(ipc.shared_memory(own:key("x"), 4))
      local old = d:set("x", "old")
      m[1] = 11
      own:cli("save")
      local new = d:set("x", "new")
      local t = waiting(function() return d:wait("y", 0, PATIENCE) end)
      local u = waiting(function() return m:wait(1, 11, PATIENCE) end)
      own:kill()
      local value, why, code = d:get("x")
      assert.is_nil(value)
      assert.matches("redis server", why)
      assert.equal("integer", math.type(code))
      assert.error_matches(function() return m[0] end, "redis server")
      assert.error_matches(function() m[0] = 1 end, "redis server")
      assert.error_matches(function() for _ in pairs(d) do error() end end, "redis server")
      assert.is_nil(d:wait("x", 0, 0))
      assert.matches("redis server", (select(2, d:wait("y", 0, 0)))) -- while another waits for it, and goes on
      assert.matches("redis server", (select(2, m:wait(1, 11, 0))))
      own:start() -- as it was when it was saved
      assert.same({"old", old}, {d:get("x")})
      assert.same({"waiting", "waiting"}, {t:status(), u:status()})
      assert.same({nil, "changed"}, {d:set("x", "newer", new)})
      assert.is_true(d:set("x", "newer", old) > new) -- a version is given once, for good
      d:set("y", 1)
      m:add(1, 1)
      assert.is_true(t:join(PATIENCE))
      assert.same({true, 12}, {u:join(PATIENCE)})
    end)

    it("comes back without its data has removed it all", function()
      local own <close> = redis_process()
      local d <close> = assert(ipc.shared_data(own:key("x")))
      local m <close> = assert(ipc.shared_memory(own:key("x"), 4))
      d:set("x", 1)
      local t = waiting(function() return d:wait("y", 0, PATIENCE) end)
      local u = waiting(function() return m:wait(1, 0, PATIENCE) end)
      own:kill()
      own:start()
      assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
      assert.same({true, nil, "removed"}, {u:join(PATIENCE)})
      assert.same({nil, "removed"}, {d:get("x")})
      assert.error_matches(function() return m[0] end, "removed")
      local new <close> = assert(ipc.shared_data(own:key("x")))
      assert.equal(0, new:count())
      assert.same({nil, "removed"}, {d:set("x", 1)})
    end)

    it("has no memory left says so, and what is there can be read and deleted", function()
      local own <close> = redis_process("--maxmemory-policy noeviction")
      local d <close> = assert(ipc.shared_data(own:key("x"), {codec = "raw"}))
      local m <close> = assert(ipc.shared_memory(own:key("x"), 1000))
      d:set("x", "there")
      d:set("y", "there")
      own:cli("config set maxmemory 1")
      local ok, why, code = d:set("x", ("x"):rep(10000))
      assert.same({nil, ENOMEM}, {ok, code})
      assert.matches("maxmemory", why)
      assert.error_matches(function() m[900] = 1 end, "maxmemory")
      own:cli("config set maxmemory 0")
      assert.equal("there", (d:get("x")))
    end)

    it("does not let its user publish refuses every change, and makes none", function()
      local d <close> = open_data()
      local m <close> = open_memory()
      d:set("x", 1)
      server:cli("acl setuser default resetchannels")
      finally(function() server:cli("acl setuser default allchannels") end)
      for _, call in ipairs{"set", "add", "delete"} do
        assert.same({nil, EACCES}, {d[call](d, "x", 2), select(3, d[call](d, "x", 2))})
      end
      assert.error(function() m[0] = 1 end)
      assert.same({nil, EACCES}, {m:add(0, 1), select(3, m:add(0, 1))})
      assert.same({1, 0}, {(d:get("x")), m[0]})
    end)

    it("does not answer leaves nobody beyond his timeout", function()
      local d <close> = open_data()
      d:set("x", 1)
      local version = select(2, d:get("x"))
      pause()
      finally(unpause)
      local t = ipc.task(function() return d:wait("x", version, 0.02) end)
      assert.same({true, nil, "timeout"}, {t:join(PATIENCE)})
      local start = ipc.now()
      assert.same({nil, "timeout"}, {ipc.timeout(0.02, function() return d:get("x") end)})
      assert.is_true(ipc.now() - start < PATIENCE)
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
