-- SPDX-License-Identifier: MIT
-- The board of a process: what others read of its waits while it is stopped, busy or dead.

local ipc = require "ipc"
local homes = require "spec.support.homes"
local processes = require "spec.support.processes"

local board = debug.getregistry()["ipc.core"].script "ipc.board"

local function line() return debug.getinfo(2, "l").currentline end

-- The board of a process, once there is one of which `fits` is true.
local function read(pid, fits)
  local found
  processes.await(function()
    for _, b in ipairs(board.all()) do
      if b.pid == pid and b.torn == 0 and fits(b) then found = b end
    end
    return found
  end, "there is no such board")
  return found
end

local function waits(n) return function(b) return #b.waits == n end end

local function has_board(pid)
  for _, b in ipairs(board.all()) do if b.pid == pid then return true end end
  return false
end

-- By the task's name; "main" is the main chunk.
local function by_name(b)
  local named = {}
  for _, w in ipairs(b.waits) do named[w.task == 0 and "main" or w.name] = w end
  return named
end

describe("a board", function()
  it("says what each task waits for, in which line, since when and until when", function()
    local key = ("shm:spec.%d.board"):format(ipc.pid())
    local m = ipc.mutex(key)
    finally(function()
      m:remove()
      m:close()
    end)
    m:acquire()
    local lines, before = {}, ipc.now()
    local child <close> = ipc.process(function(channel)
      local other = ipc.mutex(key)
      lines[1] = line() + 1
      ipc.task{name = "eater", function() other:acquire() end}
      local t = ipc.task{name = "sleeper", function() ipc.sleep(1000) end}
      ipc.task{name = "joiner", function() t:join() end}
      ipc.task{name = "generator", function()
        lines[2] = line() + 1
        ipc.coroutine.wrap(function() channel:receive() end)()
      end}
      ipc.yield()
      channel:send(lines)
      ipc.select{t, {other, "acquire"}, {channel, "receive"}}
    end)
    lines = child.channel:receive()
    local b = read(child.pid, waits(5))
    local w = by_name(b)
    assert.equal("mutex acquire", w.eater.call)
    assert.equal(key, w.eater.key)
    assert.matches("board_spec.lua:" .. lines[1] .. "$", w.eater.where)
    assert.matches("board_spec.lua:" .. lines[2] .. "$", w.generator.where)
    assert.is_nil(w.eater.deadline)
    assert.is_true(w.eater.since > before - 0.1 and w.eater.since <= ipc.now())
    assert.equal("sleep", w.sleeper.call)
    assert.is_true(w.sleeper.deadline > before + 999)
    assert.equal("task join", w.joiner.call)
    assert.equal(w.sleeper.task, w.joiner.other)
    assert.equal("select", w.main.call)
    assert.equal(3, #w.main.cases)
    local case = w.main.cases[2]
    assert.same({"mutex acquire", key, w.eater.object}, {case.call, case.key, case.object})
    assert.equal(w.sleeper.task, w.main.cases[1].other)
    assert.is_nil(b.turned)
  end)

  it("says what a task holds that waits, and no more once another has released it", function()
    local s, m = ipc.semaphore(ipc.private, 2), ipc.mutex(ipc.private)
    local function holds(name)
      local w = by_name(read(ipc.pid(), function() return true end))[name]
      local list = {}
      for i, h in ipairs(w.holds) do list[i] = h.call end
      table.sort(list)
      return table.concat(list, " ")
    end
    s:acquire()
    local _ <close> = ipc.task{name = "holder", function()
      s:acquire()
      m:acquire()
      ipc.sleep(1000)
    end}
    ipc.yield()
    local reader = ipc.task{name = "reader", function()
      assert.equal("mutex semaphore", holds "holder")
      assert.equal("semaphore", holds "main")
      s:release()
      assert.same({"mutex", "semaphore"}, {holds "holder", holds "main"})
    end}
    assert(reader:join())
    s:close()
    m:close()
  end)

  it("is read of a process that is stopped, and removed when that is killed and reaped", function()
    local child <close> = ipc.process(function(channel) channel:receive() end)
    read(child.pid, waits(1))
    child:signal("STOP")
    processes.await(function() return processes.state(child.pid) == "T" end, "it was not stopped")
    local b = read(child.pid, waits(1))
    assert.same({"T", "channel receive"}, {b.state, b.waits[1].call})
    child:signal("KILL")
    child:wait()
    assert.is_false(has_board(child.pid))
    for _, path in ipairs(debug.getregistry()["ipc.core"].boards()) do
      assert.is_nil(path:find("board." .. child.pid .. ".", 1, true))
    end
  end)

  it("is swept by the next reader when its process was killed and is not reaped", function()
    local child <close> = ipc.process(function(channel)
      local grandchild = ipc.process(function(own) own:receive() end)
      channel:send(grandchild.pid)
      ipc.signal("STOP"):dispatch(ipc.pid())
      channel:receive()
    end)
    local pid = child.channel:receive()
    read(pid, waits(1))
    processes.await(function() return processes.state(child.pid) == "T" end, "it was not stopped")
    ipc.signal("KILL"):dispatch(pid)
    processes.await(function() return processes.state(pid) == "Z" end, "it was not killed")
    assert.is_false(has_board(pid))
    child:signal("KILL")
  end)

  it("is removed at the end of the process, however that ends", function()
    for _, home in ipairs(homes) do
      for _, ending in ipairs{"", "os.exit(0)", "os.exit(0, true)", "error('x', 0)"} do
        local output = home.run("ipc.sleep(0.001) print(ipc.pid()) io.stdout:flush() " .. ending)
        local files = io.popen("ls /dev/shm"):read("a")
        assert.is_nil(files:find("ipclua.board." .. output:match("%d+") .. ".", 1, true), ending)
      end
    end
  end)

  it("is each process's own: a forked child makes one when it waits", function()
    ipc.sleep(0.001)
    local child <close> = ipc.process(function(channel)
      local none = not has_board(ipc.pid())
      channel:send(none)
      channel:receive()
    end)
    assert.is_true(child.channel:receive())
    assert.equal(0, read(child.pid, waits(1)).waits[1].task)
    assert.is_true(has_board(ipc.pid()))
  end)

  it("is read whole, or is known to be torn, while it is written all the time", function()
    local child <close> = ipc.process(function()
      local a, b = ipc.queue(ipc.private), ipc.queue(ipc.private)
      ipc.task(function() while true do a:receive() b:send(1, 1) end end)
      while true do
        a:send(1, 1)
        b:receive(nil, 1000)
      end
    end)
    local whole = 0
    processes.await(function()
      child:signal("STOP") -- anywhere
      processes.await(function() return processes.state(child.pid) == "T" end, "it does not stop")
      for _, found in ipairs(board.all()) do
        for _, w in ipairs(found.pid == child.pid and found.waits or {}) do
          whole = whole + 1
          assert.same({"queue receive", "private", w.task == 0}, {w.call, w.key, w.deadline ~= nil})
        end
      end
      child:signal("CONT")
      return whole >= 20
    end, "it is never whole")
    child:signal("KILL")
  end)

  it("has room for so many, and the others wait as well #nosan", function()
    local output, status = homes[1].run([[
      local tasks = {}
      for i = 1, 17000 do tasks[i] = ipc.task(ipc.sleep, 1000) end
      ipc.yield()
      local board = debug.getregistry()["ipc.core"].script "ipc.board"
      for _, b in ipairs(board.all()) do if b.pid == ipc.pid() then print(#b.waits + #b.runs) end end
      for _, t in ipairs(tasks) do t:cancel() end
      for _, t in ipairs(tasks) do t:join() end
      for _, b in ipairs(board.all()) do if b.pid == ipc.pid() then print(#b.waits + #b.runs <= 1) end end]])
    assert.same({"16384\ntrue\n", "exit 0"}, {output, status})
  end)

  it("is done without where there is no room for it", function()
    local output, status = homes[1].run([[
      ipc.sleep(0.01)
      local t = ipc.task{name = "x", function() ipc.sleep(0.01) return "done" end}
      print(select(2, t:join()))]], "sh -c 'ulimit -f 0 && exec \"$@\"' sh")
    assert.same({"done\n", "exit 0"}, {output, status})
  end)
end)
