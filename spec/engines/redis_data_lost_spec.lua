-- SPDX-License-Identifier: MIT
-- Shared data and shared memory when a connection is cut, and when a server is gone, comes back, or refuses: which
-- calls are told, which go on waiting, and what was answered is not lost.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local redis_process = require "spec.support.redis_process"
local waits = require "spec.support.waits"

local PATIENCE, waiting = waits.PATIENCE, waits.waiting
local SANITIZED = os.getenv("IPC_SANITIZE")
local ENOMEM, ENOENT, EACCES, ECONNABORTED, ECONNREFUSED = 12, 2, 13, 103, 111

local missing = engines.redis.missing

describe("on a redis server,", function()
  if missing then return pending(missing) end

  local server
  setup(function() server = redis_process() end)
  teardown(function() server:close() end)
  after_each(function() server:cli("flushall") end)

  local function open_data(options) return assert(ipc.shared_data(server:key("x"), options)) end
  local function open_memory(slots) return assert(ipc.shared_memory(server:key("x"), slots or 8)) end

  describe("a connection that is cut", function()
    local function write(m, slot, value)
      local function try() m[slot] = value end
      if not pcall(try) then try() end -- it may not have known that the connection was cut
    end

    it("is made again, and no later call and no wait notices", function()
      local d <close> = open_data()
      local m <close> = open_memory()
      local t = waiting(function() return d:wait("x", 0, PATIENCE) end)
      local u = waiting(function() return m:wait(0, 0, PATIENCE) end)
      for i = 1, 5 do
        server:cut()
        assert.truthy(d:set("y", i) or d:set("y", i)) -- the same
        server:cut()
        assert.equal(i, (d:get("y")))
        write(m, 1, i)
        server:cut()
        assert.equal(i, m[1])
      end
      assert.same({"waiting", "waiting"}, {t:status(), u:status()})
      server:cut()
      server:cli("hset 'ipclua:{x}:data:values' x 5:7") -- nothing is published: looked for when it is back
      server:cut()
      write(m, 0, 1)
      assert.same({true, 7, 5}, {t:join(PATIENCE)})
      assert.same({true, 1}, {u:join(PATIENCE)})
    end)

    it("while it is asked leaves open what became of a change, and only of that", function()
      local d <close> = open_data()
      local m <close> = open_memory()
      d:set("x", 1)
      server:pause()
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
      server:blocked()
      server:cut()
      for _, t in ipairs(changes) do
        local ok, value, why, code = t:join(PATIENCE)
        assert.same({true, nil, ECONNABORTED}, {ok, value, code})
        assert.matches("connection lost; it may or may not have happened", why)
      end
      assert.matches("may or may not have happened", select(3, access:join(PATIENCE)))
      server:unpause()
      assert.same({true, 1}, {table.unpack({read:join(PATIENCE)}, 1, 2)})
      assert.same({true, 1}, {count:join(PATIENCE)})
      assert.same({true, 0}, {look:join(PATIENCE)})
    end)

    it("loses no change that was answered, whatever is cut and when", function()
      local times = SANITIZED and 100 or 1000
      local d <close> = open_data()
      local cutter = assert(ipc.process(function(channel)
        while not channel:receive(0.002) do server:cut() end
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

    it("has ended, and taken its socket along, does not make data look empty", function()
      local own <close> = redis_process()
      local d <close> = assert(ipc.shared_data(own:key("x")))
      local version = d:set("x", "there")
      own:kill()
      assert(os.remove(own.folder .. "/socket"))
      for _, call in ipairs {{"get", "x"}, {"delete", "x"}, {"set", "x", 1, version}, {"add", "n", 1}} do
        local value, why, code = d[call[1]](d, table.unpack(call, 2))
        assert.same({nil, ECONNREFUSED}, {value, code}, call[1])
        assert.matches("redis server .*: No such file", why)
      end
      assert.error_matches(function() for _ in pairs(d) do error() end end, "redis server")
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
      for call, value in pairs{set = 2, add = 2, delete = false} do
        assert.same({nil, EACCES}, {d[call](d, "x", value), select(3, d[call](d, "x", value))})
      end
      assert.same({nil, EACCES}, {d:clear(), select(3, d:clear())})
      assert.error(function() m[0] = 1 end)
      assert.same({nil, EACCES}, {m:add(0, 1), select(3, m:add(0, 1))})
      assert.same({1, 0}, {(d:get("x")), m[0]})
    end)

    it("does not answer keeps no call beyond its timeout", function()
      local d <close> = open_data()
      d:set("x", 1)
      local version = select(2, d:get("x"))
      server:pause()
      finally(function() server:unpause() end)
      local t = ipc.task(function() return d:wait("x", version, 0.02) end)
      assert.same({true, nil, "timeout"}, {t:join(PATIENCE)})
      local start = ipc.now()
      assert.same({nil, "timeout"}, {ipc.timeout(0.02, function() return d:get("x") end)})
      assert.is_true(ipc.now() - start < PATIENCE)
    end)
  end)
end)
