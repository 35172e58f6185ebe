-- SPDX-License-Identifier: MIT
-- What shared data promises on every engine when something ends or forks: a handle, a process, the data itself.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local shell = require "spec.support.shell"
local waits = require "spec.support.waits"

local EACCES = 13
local PATIENCE, waiting = waits.PATIENCE, waits.waiting

-- what this process and a child have under names that are to go
local function leftovers(child)
  local pid = shell.pid()
  return tonumber((shell.output(("ls -d /dev/shm/ipclua.tmp.%d.* /dev/shm/ipclua.tmp.%d.* 2>/dev/null | wc -l")
    :format(pid, child.pid))))
end

contract.each(_ENV, "shared data", ipc.shared_data, function(engine, open, keyed, key)
  local function child_says(fn, ...)
    local child <close> = assert(ipc.process(function(channel, ...) channel:send{fn(...)} end, ...))
    local answer = assert(child.channel:receive(PATIENCE))
    assert.is_true(child:wait(PATIENCE))
    return table.unpack(answer)
  end

  describe("in a forked child", function()
    it("can be used, and closed, without a harm to the parent", function()
      local d <close> = open()
      d:set("x", 1)
      for i = 1, 5 do
        assert.same({i, i + 1}, {child_says(function()
          local was, now = d:get("x"), d:add("x", 1)
          if i % 2 == 0 then d:close() end
          waits.collect()
          return was, now
        end)})
        assert.equal(i + 1, d:get("x"))
      end
      local exits = assert(ipc.process(function() os.exit(0, true) end))
      assert.is_true(exits:wait(PATIENCE))
      assert.equal(7, d:add("x", 1))
    end)

    it("of a child, too", function()
      local d <close> = open()
      assert.equal(3, child_says(function()
        d:add("x", 1)
        local n = child_says(function()
          d:add("x", 1)
          return d:get("x")
        end)
        return n + 1
      end))
      assert.equal(2, d:get("x"))
    end)

    it("works when the parent used it first, or did not", function()
      local d <close> = open()
      assert.equal(1, child_says(function() return d:add("x", 1) end))
      d:get("x")
      for _ in pairs(d) do d:get("y") end
      assert.equal(2, child_says(function()
        for _, value in pairs(d) do assert(value == 1) end
        return d:add("x", 1)
      end))
      assert.equal(2, d:get("x"))
    end)

    it("knows nothing of its parent's waits", function()
      local d <close> = open()
      local t = waiting(function() return d:wait("x", 0, PATIENCE) end)
      ipc.sleep(0.002) -- so that the loop has blocked
      assert.same({0, 0}, {child_says(function()
        d:set("y", 1)
        return d:stat().waiters, #ipc.tasks()
      end)})
      assert.equal("waiting", t:status())
      child_says(function() return d:set("x", 1) end)
      assert.is_true(t:join(PATIENCE))
    end)

    it("is the same after the parent has closed it", function()
      local d = open()
      local child <close> = assert(ipc.process(function(channel)
        channel:receive()
        channel:send{d:add("x", 2), d:count()}
      end))
      d:set("x", 1)
      d:close()
      child.channel:send("go on")
      assert.same({3, 1}, child.channel:receive(PATIENCE))
      assert.is_true(child:wait(PATIENCE))
    end)

    it("keeps no descriptors of the parent's environment", function()
      local d <close> = open()
      d:set("x", 1)
      local function mapped(name)
        return tonumber((shell.output(("ls -l /proc/$PPID/fd | grep -c '%s'"):format(name))))
      end
      local before = mapped("%.mdb")
      assert.equal(before, child_says(function()
        d:get("x")
        return mapped("%.mdb")
      end))
    end)
  end)

  describe("that is removed", function()
    it("says so to everybody, for good", function()
      local d <close> = open()
      d:set("x", 1)
      local child <close> = assert(ipc.process(function(channel)
        d:get("x")
        channel:send("ready")
        channel:receive()
        for _, call in ipairs{"get", "set", "add", "delete", "wait"} do
          channel:send{select(2, d[call](d, "x", 1))}
        end
        for _, call in ipairs{"remove", "count", "stat"} do channel:send{select(2, d[call](d))} end
      end))
      assert.equal("ready", child.channel:receive(PATIENCE))
      assert.is_true(d:remove())
      child.channel:send("go on")
      for _ = 1, 8 do assert.same({"removed"}, child.channel:receive(PATIENCE)) end
      assert.same({nil, "removed"}, {d:remove()})
      assert.same({nil, "removed"}, {d:get("x")})
      assert.same({nil, "removed"}, {d:update("x", error)})
      assert.error_matches(function() for _ in pairs(d) do error() end end, "removed")
      assert.matches("removed%)$", tostring(d))
    end)

    keyed("makes room for a new one, which the old handles do not see", function()
      local d <close> = open{size = 100000}
      d:set("x", "old")
      d:remove()
      local new <close> = open{size = 200000}
      assert.is_nil(new:get("x"))
      new:set("x", "new")
      assert.same({nil, "removed"}, {d:get("x")})
      assert.equal("new", new:get("x"))
      d:close()
      assert.equal("new", new:get("x"))
    end)

    keyed("while others open it, over and over", function()
      local child <close> = assert(ipc.process(function(channel)
        for _ = 1, 150 do
          local d <close> = open()
          local ok, why = d:set("x", 1)
          assert(ok or why == "removed", why)
        end
        channel:send("done")
      end))
      for _ = 1, 150 do
        local d <close> = open()
        local ok, why = d:remove()
        assert(ok or why == "removed", why)
      end
      assert.equal("done", child.channel:receive(PATIENCE))
      assert.is_true(child:wait(PATIENCE))
      assert.equal(0, leftovers(child))
    end)
  end)

  keyed("is made once by many that open it at the same time", function()
    for round = 1, 5 do
      local children = {}
      for i = 1, 8 do
        children[i] = assert(ipc.process(function(channel)
          channel:receive()
          local d <close> = open()
          channel:send{d:set("first", i, 0) and "first" or "later", (d:add("count", 1))}
          channel:receive()
        end))
      end
      for _, child in ipairs(children) do child.channel:send("go") end
      local first = 0
      for _, child in ipairs(children) do
        if child.channel:receive(PATIENCE)[1] == "first" then first = first + 1 end
      end
      local d <close> = open()
      assert.same({1, 8}, {first, (d:get("count"))}, round)
      for _, child in ipairs(children) do
        child.channel:send("end")
        assert.is_true(child:wait(PATIENCE))
        assert.equal(0, leftovers(child))
      end
      d:remove()
    end
  end)

  keyed("belongs to its owner, or to users that the mode allows", function()
    if engine.remote then return pending("a server has users of its own, and no modes") end
    if engine.modes == false then return pending("what is there is its owner's alone") end
    if not os.execute("[ $(id -u) = 0 ] && setpriv --reuid 65534 --clear-groups test -x "
      .. (os.getenv("IPCLUA") or "build/ipclua") .. " 2>/dev/null") then
      return pending("this is not root, or others may not run the program")
    end
    local function as_nobody()
      local code = ([[
        local ipc = require "ipc"
        local key = ipc.key %q or ipc.shm_key "cannot be looked at"
        local d, why, errno = ipc.shared_data(key)
        if not d then print(errno) else print(d:add("x", 1), (d:remove())) end]])
        :format(engine.name == "sysv" and ("file:%s"):format(key().path) or "shm:" .. key().name)
      local host = os.getenv("IPCLUA") or "build/ipclua"
      return shell.output(("setpriv --reuid 65534 --clear-groups %s -e %s 2>&1")
        :format(host, "'" .. code:gsub("'", "'\\''") .. "'"))
    end
    if engine.name == "sysv" then os.execute("chmod 644 " .. key().path) end
    local d = open()
    assert.equal(EACCES .. "\n", as_nobody())
    d:remove()
    d:close()
    d = open{mode = "0666"}
    assert.equal("1\tnil\n", as_nobody()) -- to remove it is the owner's
    assert.equal(1, d:get("x"))
    d:close()
  end)
end)
