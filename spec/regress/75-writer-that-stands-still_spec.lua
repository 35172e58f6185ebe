-- SPDX-License-Identifier: MIT
-- A process that was stopped in the middle of a change of shared data stopped every other one that changed something:
-- all of its tasks, timers and timeouts, and Ctrl-C, for as long as it pleased, in LMDB's lock. Now a change waits for
-- it as anything else is waited for, and for five seconds at most.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local homes = require "spec.support.homes"

local PATIENCE <const> = 20
local ETIMEDOUT <const> = 110
local WRITING <const> = 336 -- where the gate of the writers is in the control file (engines/store/store.h)

local shm = engines.shm

-- The number by which a gate knows a process.
local function owner_of(pid)
  local file <close> = assert(io.open(("/proc/%d/stat"):format(pid)))
  local start = file:read("a"):match("%) .*"):match(("%S+ "):rep(20) .. "(%d+)")
  return tonumber(start) << 22 | pid
end

local function control_of(key)
  local file = assert(io.open(("/dev/shm/ipclua.data.%s/control"):format(key.name), "r+b"))
  file:setvbuf("no")
  return function(owner)
    file:seek("set", WRITING)
    file:write(("<I8"):pack(owner))
  end
end

describe("a process that stands still in a change of shared data", function()
  local key, data, child, put

  before_each(function()
    key = shm.key()
    data = assert(ipc.shared_data(key))
    data:set("a", 1)
    child = assert(ipc.process(function(channel) channel:receive() end))
    put = control_of(key)
    put(owner_of(child.pid))
  end)
  after_each(function()
    child:close()
    data:close()
    shm.cleanup()
  end)

  local function go_on() put(0) end

  local changes = {
    set = function(d) return d:set("a", 5) end,
    ["checked set"] = function(d) return d:set("a", 5, (select(2, d:get("a")))) end,
    add = function(d) return d:add("a", 4) end,
    update = function(d) return d:update("a", function(n) return n + 4 end) end,
    delete = function(d) return d:delete("a") end,
    remove = function(d) return d:remove() end,
  }

  for what, change in pairs(changes) do
    it("leaves other tasks and timeouts alone: " .. what, function()
      local ticks = 0
      local timer = ipc.timer(0.001, function() ticks = ticks + 1 end)
      assert.same({nil, "timeout"}, {ipc.timeout(0.1, change, data)})
      timer:close()
      assert.is_true(ticks > 0)
      assert.equal(1, data:get("a"))
    end)

    for _, how in ipairs{"goes on", "is killed"} do
      it(("lets the change be made when it %s: %s"):format(how, what), function()
        local task = ipc.task(change, data)
        while task:status() ~= "waiting" do ipc.yield() end
        if how == "goes on" then
          go_on()
        else
          child:signal("KILL")
          child:wait(PATIENCE)
        end
        assert.truthy(select(2, task:join(PATIENCE)))
        assert.equal(what:find("e$") and what ~= "update" and "nil" or "5", tostring((data:get("a"))))
      end)
    end
  end

  it("keeps no process from reading", function()
    local seen = {}
    for name, value in pairs(data) do seen[name] = value end
    assert.same({a = 1}, seen)
    assert.equal(1, data:count())
    assert.matches("1 names", tostring(data))
    local other <close> = assert(ipc.process(function(channel)
      channel:send((data:get("a")))
      data:close()
    end))
    assert.equal(1, other.channel:receive(PATIENCE))
  end)

  it("keeps no task from waiting, with a timeout", function()
    assert.same({nil, "timeout"}, {data:wait("b", 0, 0.05)})
    local task = ipc.task(function() return data:wait("b", 0, PATIENCE) end)
    while task:status() ~= "waiting" do ipc.yield() end
    go_on()
    data:set("b", "it")
    assert.equal("it", (select(2, task:join(PATIENCE))))
  end)

  it("can be waited for by many at once", function()
    local tasks = {}
    for i = 1, 50 do tasks[i] = ipc.task(function() return data:add("sum", i) end) end
    while tasks[50]:status() ~= "waiting" do ipc.yield() end
    go_on()
    for i = 1, 50 do assert.is_true((tasks[i]:join(PATIENCE))) end
    assert.equal(50 * 51 // 2, data:get("sum"))
  end)

  it("lets a wait for it end when the handle is closed", function()
    local other = assert(ipc.shared_data(key))
    local task = ipc.task(function() return other:set("a", 2) end)
    while task:status() ~= "waiting" do ipc.yield() end
    other:close()
    assert.same({true, nil, "closed"}, {task:join(PATIENCE)})
    go_on()
    assert.equal(1, data:get("a"))
  end)

  it("is waited for where a task cannot wait, too", function()
    local helper <close> = assert(ipc.process(function(channel)
      channel:receive()
      ipc.sleep(0.05)
      go_on()
      channel:receive()
    end))
    helper.channel:send("soon")
    local made
    table.sort({1, 2}, function(a, b)
      made = made or data:set("a", 3)
      return a < b
    end)
    assert.equal("integer", math.type(made))
    assert.equal(3, data:get("a"))
  end)

  it("is told when it has stood still for long #slow #nosan", function()
    local ok, why, errno = data:set("a", 2)
    assert.is_nil(ok)
    assert.matches("stands still", why)
    assert.equal(ETIMEDOUT, errno)
    assert.same({nil, ETIMEDOUT}, {(data:add("a", 1)), (select(3, data:add("a", 1)))}) -- and now at once
    go_on()
    assert.truthy(data:set("a", 2))
  end)

  it("leaves Ctrl-C alone", function()
    local output, status, errors = homes[1].run(([[
      local data = assert(ipc.shared_data(ipc.shm_key("%s")))
      ipc.after(0.001, function() ipc.signal("INT"):dispatch(io.open("/proc/self/stat"):read("n")) end)
      data:set("a", 2)
      print("it was set")
    ]]):format(key.name))
    assert.same({"", "exit 130"}, {output, status})
    assert.matches("interrupted", errors)
  end)
end)
