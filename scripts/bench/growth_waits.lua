-- SPDX-License-Identifier: MIT
-- make growth: what one operation costs beside many that wait, messages that lie there, and cases of a select.

local ipc = require "ipc"

local SOON <const> = 0.05 -- seconds, by which all wait

-- cost(times, fn): nanoseconds per call of fn(times), the least of some runs.
return function(cost)
  -- Runs fn while n tasks call `wait`, each with its number.
  local function beside(n, wait, fn)
    local tasks = {}
    for i = 1, n do
      tasks[i] = ipc.task(function() while true do wait(i) end end)
    end
    ipc.sleep(SOON)
    local result = fn()
    for i = n, 1, -1 do tasks[i]:cancel() end
    ipc.run()
    return result
  end

  -- A child says when its function began: since before the fork, which copies the page tables.
  local function start()
    local least = math.huge
    for _ = 1, 5 do
      local before = ipc.now()
      local child <close> = assert(ipc.process(function(channel) channel:send(ipc.now()) end))
      least = math.min(least, (assert(child.channel:receive()) - before) * 1e9)
    end
    return least
  end

  local function messages(queue, type_of)
    return cost(500, function(times)
      for i = 1, times do
        queue:send(type_of(i), i)
        ipc.yield()
      end
    end)
  end

  local function tasks(n)
    local queue <close> = assert(ipc.queue(ipc.private))
    local data <close> = assert(ipc.shared_data(ipc.private))
    local many = n > 10000
    local result = {
      ["start of a process"] = beside(n, function() ipc.sleep(1000) end, start),
      message = beside(n, function() queue:receive() end, function()
        return messages(queue, function() return 1 end)
      end),
      ["of its type"] = not many and beside(n, function(i) queue:receive(i) end, function()
        return messages(queue, function(i) return n - i % n end)
      end) or nil,
    }
    if many then return result end
    for i = 1, n do data:set("name " .. i, 0) end
    result.change = beside(n, function(i)
      local name = "name " .. i
      data:wait(name, select(2, data:get(name)))
    end, function()
      return cost(200, function(times)
        for i = 1, times do data:set("name " .. n, i) end
      end)
    end)
    return result
  end

  local function threads() return ipc.stats().threads end

  -- Tasks that each wait for a type of their own at one System V queue.
  local function types(n)
    local path = os.tmpname()
    local queue = assert(ipc.queue(ipc.file_key(path)))
    local result = beside(n, function(i) queue:receive(i) end, function()
      return {message = messages(queue, function(i) return n - i % n end), ["threads (count)"] = threads()}
    end)
    queue:remove()
    queue:close()
    os.remove(path)
    return result
  end

  local function filled(n, type_of)
    local queue = assert(ipc.queue(ipc.private, {capacity = 64 << 20, codec = "raw"}))
    for i = 1, n do queue:send(type_of(i), "x") end
    return queue
  end

  -- How late a task's timer is at the worst while another one takes messages that are there.
  local function late(n)
    local queue <close> = filled(n, function() return 1 end)
    local worst, over = 0, false
    local sleeper = ipc.task(function()
      while not over do
        local begun = ipc.now()
        ipc.sleep(0.001)
        worst = math.max(worst, ipc.now() - begun - 0.001)
      end
    end)
    ipc.task(function()
      for _ = 1, n do queue:receive() end
      over = true
    end)
    sleeper:join()
    return worst * 1e9
  end

  local function backlog(n)
    local behind <close> = filled(n, function() return 1 end)
    local mixed <close> = filled(n, function(i) return 2 + i % 3 end)
    local function pairs_of(queue, wanted)
      return cost(100, function(times)
        for _ = 1, times do
          queue:send(2, "x")
          queue:receive(wanted)
        end
      end)
    end
    local worst = math.huge
    for _ = 1, 3 do worst = math.min(worst, late(n)) end
    return {
      ["type behind them"] = pairs_of(behind, 2), ["lowest type"] = pairs_of(mixed, -5), ["timer late by"] = worst,
    }
  end

  local function cases(n)
    local list = {}
    for i = 1, n do list[i] = assert(ipc.queue(ipc.private, {capacity = 100})) end
    list[1]:send(1, "there")
    local result = {
      ["select, the first is ready"] = cost(math.max(20, 10000 // n), function(times)
        for _ = 1, times do
          ipc.select(list)
          list[1]:send(1, "there")
        end
      end),
    }
    for _, queue in ipairs(list) do queue:close() end
    return result
  end

  -- So many processes wait for the messages of one queue: the processor's time of all for each message.
  local function consumers(n)
    local queue <close> = assert(ipc.queue(ipc.private, {codec = "raw"}))
    local children, N = {}, 2000
    for i = 1, n do
      children[i] = assert(ipc.process(function(channel)
        while select(2, queue:receive()) ~= 2 do end
        channel:send(os.clock())
      end))
    end
    ipc.sleep(SOON)
    for i = 1, N do
      queue:send(1, "x")
      if i % 10 == 0 then ipc.sleep(0.0005) end
    end
    for _ = 1, n do queue:send(2, "") end
    local cpu = 0
    for _, child in ipairs(children) do
      cpu = cpu + child.channel:receive()
      child:wait()
    end
    return cpu / N * 1e9
  end

  -- So many processes want a mutex, and each holds it for a millisecond.
  local function holders(n)
    local mutex <close> = assert(ipc.mutex(ipc.private))
    local children, turns, cpu = {}, 0, 0
    local ends = ipc.now() + 0.5
    for i = 1, n do
      children[i] = assert(ipc.process(function(channel)
        local own, before = 0, os.clock()
        while ipc.now() < ends do
          mutex:acquire()
          ipc.sleep(0.001)
          mutex:release()
          own = own + 1
        end
        channel:send{own, os.clock() - before}
      end))
    end
    for _, child in ipairs(children) do
      local got = child.channel:receive()
      turns, cpu = turns + got[1], cpu + got[2]
      child:wait()
    end
    return cpu / turns * 1e9
  end

  -- What a change costs beside so many processes that wait, each for something else: `wait` and `change` get a number.
  local function elsewhere(n, wait, change)
    local children = {}
    for i = 1, n do
      children[i] = assert(ipc.process(function(channel)
        wait(i)
        channel:send("woken")
      end))
    end
    ipc.sleep(SOON)
    local result = cost(2000, function(times)
      for _ = 1, times do change(0) end
    end)
    for i = 1, n do
      change(i)
      children[i].channel:receive()
      children[i]:wait()
    end
    return result
  end

  local function processes(n)
    local memory <close> = assert(ipc.shared_memory(ipc.private, 65))
    local result = {
      ["CPU of a message"] = consumers(n), ["CPU of a turn"] = holders(n),
      ["add to a slot"] = elsewhere(n, function(i) memory:wait(i, 0) end, function(i) memory:add(i, 1) end),
    }
    local data = assert(ipc.shared_data(ipc.shm_key("growth." .. ipc.pid())))
    result["set of a name"] = elsewhere(n, function(i) data:wait("n" .. i, 0) end,
      function(i) data:set("n" .. i, 1) end)
    data:remove()
    data:close()
    return result
  end

  return {
    {"tasks that wait", tasks, {1, 100, 1000, 10000, 100000},
      {"start of a process", "message", "of its type", "change"}},
    {"messages in a queue", backlog, {1000, 10000, 100000, 400000},
      {"type behind them", "lowest type", "timer late by"}},
    {"types waited for, System V", types, {1, 4, 16, 100, 1000, 4000}, {"message", "threads (count)"}},
    {"processes that wait", processes, {1, 4, 16, 64},
      {"CPU of a message", "CPU of a turn", "set of a name", "add to a slot"}},
    {"cases", cases, {1, 10, 100, 1000, 4000}, {"select, the first is ready"}},
  }
end
