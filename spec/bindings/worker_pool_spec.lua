-- SPDX-License-Identifier: MIT
-- require "ipc.pool": results in order, whatever happens to the workers.

local ipc = require "ipc"
local shell = require "spec.support.shell"
local new = require "ipc.pool".new

local PATIENCE = 20
local SANITIZED = os.getenv("IPC_SANITIZE")

local function numbers(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

local function die() ipc.signal("KILL"):dispatch(shell.pid()) end

-- The counting process may see the other end of its pipe, which popen has not closed yet: it is told when to look.
local function descriptors()
  local path = os.tmpname()
  local pipe = io.popen(("read go; ls /proc/%d/fd | wc -l >%s"):format(shell.pid(), path), "w")
  pipe:write("go\n")
  pipe:close()
  local file <close> = io.open(path)
  os.remove(path)
  return file:read("n")
end

local function children_left()
  local pipe <close> = io.popen("ps -o pid= --ppid " .. shell.pid() .. " | wc -l")
  return pipe:read("n") - 1 -- the shell of the pipe
end

describe("a pool", function()
  it("maps in the order of the items, whatever takes longer", function()
    local pool <close> = new {workers = 3}
    local seen = {}
    local squares = pool:map(numbers(9), function(n)
      if n % 3 == 1 then ipc.sleep(0.01) end
      return n * n
    end, function(done, total, index, value) seen[#seen + 1] = {done, total, index, value} end)
    assert.same({1, 4, 9, 16, 25, 36, 49, 64, 81}, squares)
    for i, call in ipairs(seen) do
      assert.same({i, 9, call[3], call[3] ^ 2}, call)
    end
    assert.equal(9, #seen)
    assert.same({}, pool:map({}, error))
  end)

  it("works in processes of its own, no more at a time than it has", function()
    local pool <close> = new {workers = 2}
    local pids, different = pool:map(numbers(20), shell.pid), {}
    for _, pid in ipairs(pids) do different[pid] = true end
    assert.is_nil(different[shell.pid()])
    local count = 0
    for _ in pairs(different) do count = count + 1 end
    assert.is_true(count <= 2)
  end)

  it("carries many jobs, and large results", function()
    local pool <close> = new {workers = 2}
    local n = SANITIZED and 500 or 10000
    assert.same(numbers(n), pool:map(numbers(n), function(i) return i end))
    local large = pool:map({"a", "b", "c"}, function(letter) return letter:rep(1 << 20) end)
    assert.equal(("b"):rep(1 << 20), large[2])
  end)

  it("raises a job's error with its item and the worker's traceback", function()
    local pool <close> = new {workers = 2}
    local ok, problem = pcall(pool.map, pool, {"a", "b"}, function(item)
      if item == "b" then error("cannot do " .. item) end
      ipc.sleep(100)
    end)
    assert.is_false(ok)
    assert.matches("item 2: .*cannot do b.*stack traceback", problem)
    assert.equal(0, children_left())
    assert.same({1}, pool:map({1}, function(i) return i end))
  end)

  it("says so when a result cannot be sent", function()
    local pool <close> = new {workers = 1}
    local _, problem = pcall(pool.map, pool, {1}, function() return print end)
    assert.matches("item 1: its result cannot be sent: cannot encode value 1: a function", problem)
  end)

  it("does the job of a worker again that was killed", function()
    local pool <close> = new {workers = 3, attempts = 100}
    local n, deaths = SANITIZED and 50 or 600, 0
    local got = pool:map(numbers(n), function(i)
      math.randomseed(shell.pid(), i)
      if math.random(SANITIZED and 6 or 30) == 1 then die() end
      return i
    end, {died = function(item, how, code, again)
      assert.same({"signal", 9, true}, {how, code, again})
      assert.is_true(item >= 1 and item <= n)
      deaths = deaths + 1
    end})
    assert.same(numbers(n), got)
    assert.is_true(deaths > 0)
    assert.equal(0, children_left())
  end)

  it("gives a job up that takes all its workers down", function()
    local pool <close> = new {workers = 2, attempts = 3}
    local function work(i)
      if i == 2 then die() end
      return i
    end
    local _, problem = pcall(pool.map, pool, {1, 2, 3}, work)
    assert.matches("item 2: its worker died %(signal 9%)", problem)
    local told = {}
    assert.same({1, "none", 3}, pool:map({1, 2, 3}, work, {
      died = function(_, _, _, again) told[#told + 1] = again end,
      failed = function(item, why)
        assert.same({2, "its worker died (signal 9)"}, {item, why})
        return "none"
      end,
    }))
    assert.same({true, true, false}, told)
  end)

  it("takes single jobs, as tasks", function()
    local pool <close> = new {workers = 2}
    local tasks = {}
    for i = 1, 6 do tasks[i] = pool:submit(function(a, b) return a + b, {a} end, i, 10) end
    for i = 1, 6 do assert.same({true, i + 10, {i}}, {tasks[i]:join(PATIENCE)}) end
    local failed, why = pool:submit(function() error("no luck") end):join(PATIENCE)
    assert.is_false(failed)
    assert.matches("no luck.*stack traceback", why)
    assert.same({false, "its worker died (signal 9)"}, {pool:submit(die):join(PATIENCE)})
    assert.same({true}, {pool:submit(function() end):join(PATIENCE)})
  end)

  it("ends its workers when it is closed, and when the task that maps is cancelled", function()
    local function rounds()
      for _, way in ipairs{"close", "cancel"} do
        local pool = new {workers = 2}
        local task = ipc.task(pcall, pool.map, pool, numbers(4), function() ipc.sleep(100) end)
        local job = pool:submit(function() ipc.sleep(100) end)
        while children_left() < 2 do ipc.yield() end
        if way == "cancel" then task:cancel() else pool:close() end
        if way == "close" then
          assert.same({true, false}, {select(1, task:join(PATIENCE)), (select(2, task:join(PATIENCE)))})
          assert.is_false((job:join(PATIENCE)))
          assert.error_matches(function() pool:map({}, print) end, "pool is closed")
          assert.error_matches(function() pool:submit(print) end, "pool is closed")
        else
          task:join(PATIENCE)
          pool:close()
        end
        pool:close()
        assert.equal(0, children_left())
        assert.matches("closed", tostring(pool))
      end
      collectgarbage()
      collectgarbage()
      return descriptors()
    end
    local first = rounds() -- by then the pools of the specs before have let go, too
    assert.equal(first, rounds())
  end)

  it("raises what a job raises, whatever it is", function()
    local pool <close> = new {workers = 1}
    local function raised(problem) return select(2, pcall(pool.map, pool, {1}, function() error(problem, 0) end)) end
    assert.same({code = 5}, raised {code = 5})
    assert.equal("item 1: nil", (raised(nil):match("[^\n]*")))
    assert.matches("^item 1: its error cannot be sent: .*function", raised(print))
    local ended = select(2, pcall(pool.map, pool, {1}, function() os.exit(3) end))
    assert.matches("^item 1: its worker died %(exit 3%)", ended)
  end)

  it("goes on after an error in a function that it calls", function()
    local pool <close> = new {workers = 2}
    local _, problem = pcall(pool.map, pool, numbers(9), function(i) return i end, function() error("oops") end)
    assert.matches("oops", problem)
    assert.equal(0, children_left())
    assert.same(numbers(9), pool:map(numbers(9), function(i) return i end))
  end)

  it("can be closed from a function that it calls", function()
    local pool = new {workers = 2}
    local _, problem = pcall(pool.map, pool, numbers(9), function(i) return i end, function() pool:close() end)
    assert.matches("pool is closed", problem)
    assert.equal(0, children_left())
  end)

  it("may be made in a worker of another one", function()
    local pool <close> = new {workers = 2}
    local sums = pool:map({1, 10}, function(i)
      local inner <close> = new {workers = 2}
      local products = inner:map({1, 2, 3}, function(j) return i * j end)
      return products[1] + products[2] + products[3]
    end)
    assert.same({6, 60}, sums)
  end)

  it("belongs to the process that made it", function()
    local pool <close> = new {workers = 1}
    local _, problem = pcall(pool.map, pool, {1}, function() pool:map({}, print) end)
    assert.matches("pool belongs to the process that made it", problem)
  end)

  it("leaves no worker behind when its process is killed", function()
    local child = assert(ipc.process(function(channel)
      local pool = new {workers = 2}
      pool:map({1, 2, 3, 4, 5, 6}, function(i)
        if i > 2 then return end
        channel:send(shell.pid())
        ipc.sleep(0.05)
      end, {died = function() end})
      channel:receive()
    end))
    local pids = {child.channel:receive(PATIENCE), child.channel:receive(PATIENCE)}
    child:signal("KILL")
    child:wait(PATIENCE)
    for _, pid in ipairs(pids) do
      local deadline = ipc.now() + PATIENCE
      while os.execute("kill -0 " .. pid .. " 2>/dev/null") do -- it is no child of ours, so nothing tells
        assert.is_true(ipc.now() < deadline)
        ipc.sleep(0.01)
      end
    end
  end)

  it("raises for options that are wrong", function()
    assert.error_matches(function() new {workers = 0} end, "workers must be an integer from 1 to 10000")
    assert.error_matches(function() new {attempts = 1.5} end, "attempts must be an integer")
    assert.error_matches(function() new(7) end, "options must be a table, got number")
    assert.error_matches(function() new {worker = 1} end, "pool: unknown option 'worker'")
    assert.error_matches(function() new {codec = "xml"} end, "pool: codec must be")
    assert.error_matches(function() new {codec = "raw"} end, "pool: codec \"raw\" carries strings only")
    assert.error_matches(function() new {max_message = 10} end, "pool: max_message must be an integer of at least 2048")
    assert.error_matches(function() new {max_message = 1 << 40} end, "pool: max_message must be")
    local pool <close> = new {workers = 1}
    assert.error_matches(function() pool:map(7, print) end, "items must be a list, got number")
    assert.error_matches(function() pool:map({}, 7) end, "fn must be a function, got number")
    assert.error_matches(function() pool:map({}, print, 7) end, "pool:map: options must be a table, got number")
    assert.error_matches(function() pool:map({}, print, {progres = print}) end, "pool:map: unknown option 'progres'")
    assert.error_matches(function() pool:map({}, print, {died = 7}) end, "pool:map: died must be a function, got num")
    assert.error_matches(function() pool:submit(7) end, "fn must be a function, got number")
  end)
end)
