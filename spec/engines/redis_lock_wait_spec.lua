-- SPDX-License-Identifier: MIT
-- Waiting for a lock on a server: in order, in time, and nothing is lost with a connection, an answer, or the server.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local engines = require "spec.support.engines"
local peer = require "spec.support.peer"
local proxied = require "spec.support.proxied"
local storm = require "spec.storm.permits"
local waits = require "spec.support.waits"

local PATIENCE, SANITIZED = waits.PATIENCE, waits.SANITIZED
local waiting, waiter = waits.waiting, contract.waiter

local redis = engines.redis

describe("a lock on a redis server", function()
  if redis.missing then return pending(redis.missing) end

  local LEASE = redis.lease
  local LONG <const> = 30 -- is renewed on a busy machine, too
  local key, open, open_semaphore
  before_each(function()
    key = redis.key()
    open = function(lease) return assert(ipc.mutex(key, {lease = lease})) end
    open_semaphore = function(max) return assert(ipc.semaphore(key, max or 2)) end
  end)
  after_each(redis.cleanup)

  local function cli(command)
    return peer.output(("redis-cli -s %s %s"):format(redis.socket(), command))
  end

  local function through_proxy() return proxied(redis, key) end

  describe("is waited for", function()
    it("in order, by all processes", function()
      local PLACE <const> = 3
      local m <close> = open(LONG)
      m:acquire()
      local log = os.tmpname()
      finally(function() os.remove(log) end)
      local children = {}
      for i = 1, 8 do
        local child = assert(ipc.process(function(channel)
          local mine = open(PLACE)
          ipc.task(function()
            assert(mine:acquire(PATIENCE))
            local file = assert(io.open(log, "a"))
            file:write(i, "\n")
            file:close()
            mine:release()
          end)
          ipc.sleep(0)
          mine:holder() -- what it asked before has been heard
          channel:send("in line")
        end))
        assert.equal("in line", child.channel:receive(PATIENCE))
        children[i] = child
      end
      ipc.sleep(PLACE * 1.5) -- places are kept for longer than a lease
      m:release()
      for _, child in ipairs(children) do assert.is_true(child:wait(PATIENCE)) end
      local file <close> = assert(io.open(log))
      assert.equal("1\n2\n3\n4\n5\n6\n7\n8\n", file:read("a"))
    end)

    it("not by the dead", function()
      local m <close> = open(LONG)
      m:acquire()
      local dead = {}
      for i = 1, 3 do dead[i] = waiter(open) end
      local alive <close> = waiter(open, PATIENCE)
      for _, child in ipairs(dead) do
        child:signal("KILL")
        child:wait()
      end
      m:release()
      assert.same({true}, alive.channel:receive(PATIENCE))
    end)

    it("over connections that are cut", function()
      local proxy <close>, cut_key = through_proxy()
      local m <close> = open()
      local cut_off <close> = assert(ipc.mutex(cut_key))
      for _, how in ipairs{"cut", "refuse"} do
        m:acquire()
        local t = waiting(function()
          local ok, word = cut_off:acquire(PATIENCE)
          cut_off:release()
          return ok, word
        end)
        ipc.sleep(0.02)
        proxy:ask(how)
        m:release() -- no process hears it
        if how == "refuse" then proxy:ask("accept") end
        assert.same({true, true}, {t:join(PATIENCE)})
      end
    end)

    it("no longer than its timeout, whatever the server does", function()
      local proxy <close>, cut_key = through_proxy()
      local s <close> = assert(ipc.semaphore(cut_key, 2))
      local direct <close> = open_semaphore(2)
      for _, how in ipairs{"hold", "deafen"} do
        s:acquire()
        s:release()
        proxy:ask(how)
        assert.same({nil, "timeout"}, {s:acquire(0.05)})
        assert.same({nil, "timeout"}, {ipc.select({s, {s, "hold"}}, 0.05)})
        proxy:ask("cut")
        proxy:ask("go")
        assert.equal(2, s:value()) -- and nothing is lost
        assert.equal(2, direct:value())
      end
    end)

    it("by many tasks, over one connection", function()
      local proxy <close>, cut_key = through_proxy()
      local TASKS <const>, LOCKS <const> = SANITIZED and 200 or 2000, SANITIZED and 20 or 200
      local locks, count = {}, 0
      for i = 1, LOCKS do locks[i] = assert(ipc.semaphore(cut_key, 3, {lease = LONG})) end
      locks[1]:acquire()
      ipc.scope(function(scope)
        for i = 1, TASKS do
          scope:task(function()
            local held <close> = assert(locks[i % LOCKS + 1]:hold(60))
            assert(held)
            count = count + 1
          end)
        end
      end)
      assert.equal(TASKS, count)
      assert.equal("1", proxy:ask("count"))
      assert.equal(2, locks[2]:value())
      for _, s in ipairs(locks) do s:close() end
    end)
  end)

  describe("when an answer is lost", function()
    it("has taken and given back once", function()
      local proxy <close>, cut_key = through_proxy()
      local s <close> = assert(ipc.semaphore(cut_key, 2, {lease = LONG})) -- not to be renewed while nothing is heard
      local direct <close> = open_semaphore(2)
      proxy:ask("deafen")
      local t = waiting(function() return s:acquire(PATIENCE) end)
      contract.at_last(redis, 1, direct.value, direct)
      proxy:ask("cut")
      proxy:ask("go")
      assert.same({true, true}, {t:join(PATIENCE)})
      assert.equal(1, direct:value())
      proxy:ask("deafen")
      t = waiting(function() return s:release() end)
      contract.at_last(redis, 2, direct.value, direct)
      proxy:ask("cut")
      proxy:ask("go")
      assert.same({true, true}, {t:join(PATIENCE)}) -- not "expired"
      assert.equal(2, direct:value())
    end)
  end)

  it("says that the server has no memory, which loses nothing", function()
    local s <close> = open_semaphore(2)
    finally(function() cli("config set maxmemory 0") end)
    s:acquire()
    s:acquire()
    local child <close> = waiter(open_semaphore, PATIENCE)
    local m <close> = open()
    m:acquire()
    cli("config set maxmemory 1")
    assert.same({true}, {s:release()})
    assert.same({true}, child.channel:receive(PATIENCE)) -- what begins by giving back may go on
    assert.same({true}, {s:release()})
    local ok, message, code = s:acquire(0)
    assert.is_nil(ok)
    assert.equal(12, code, message)
    assert.matches("memory", message)
    ipc.sleep(LEASE * 1.5)
    assert.same({true}, {m:release()}) -- its lease was renewed
    cli("config set maxmemory 0")
    assert.same({true}, {s:acquire(0)})
  end)

  it("has no more holders than permits, whichever process is killed, while connections are cut #slow", function()
    local proxy <close>, cut_key = through_proxy()
    local s <close> = open_semaphore(3)
    local cutting = ipc.task(function()
      while true do
        ipc.sleep(0.05 + math.random() * LEASE / 4)
        proxy:ask("cut")
      end
    end)
    local seen = storm(SANITIZED and 20 or 60, 3, function()
      local mine
      repeat mine = ipc.semaphore(cut_key, 3) until mine -- to open is not tried again
      return mine
    end)
    cutting:close()
    assert.is_true(seen.hit > 0)
    contract.at_last(redis, 3, s.value, s)
  end)

  describe("whose server is started again", function()
    local directory, server, server_key
    local function start()
      server = peer.run(([[sh -c 'echo $$; exec redis-server --port 0 --unixsocket %s/s --dir %s --save "" ]] ..
        [[--appendonly yes --appendfsync always --logfile /dev/null']]):format(directory, directory))
      local ready = "timeout 20 sh -c 'until redis-cli -s %s/s ping 2>/dev/null | grep -q PONG; do sleep 0.02; done'"
      assert(os.execute(ready:format(directory)))
    end
    before_each(function()
      directory = peer.output("mktemp -d"):match("[^\n]+")
      start()
      server_key = assert(ipc.redis_key(("redis+unix://%s/s?name=x&lease=12"):format(directory))) -- less than PATIENCE
    end)
    after_each(function()
      server:kill()
      os.execute("rm -rf " .. directory)
    end)

    it("with its data, is held, and goes to the waiter", function()
      open = function() return assert(ipc.mutex(server_key)) end
      local m <close> = open()
      m:acquire()
      local token = m:token()
      local child <close> = waiter(open, PATIENCE)
      local t = waiting(function() return m:acquire(PATIENCE), m:token() > token end)
      server:kill()
      start()
      assert.same({true}, {m:release()})
      assert.same({true}, child.channel:receive(PATIENCE))
      child.channel:send("stop")
      assert.same({true, true, true}, {t:join(PATIENCE)})
    end)

    it("without, is removed", function()
      local m <close> = assert(ipc.mutex(server_key))
      m:acquire()
      local token = m:token()
      local t = waiting(function() return m:acquire(PATIENCE) end)
      server:kill()
      os.execute("rm -rf " .. directory .. "/appendonlydir")
      start()
      assert.same({true, nil, "removed"}, {t:join(PATIENCE)})
      assert.same({nil, "removed"}, {m:holder()})
      assert.same({nil, "removed"}, {m:release()})
      local new <close> = assert(ipc.mutex(server_key))
      assert.same({true}, {new:acquire(0)})
      assert.is_true(new:token() > token)
    end)
  end)
end)
