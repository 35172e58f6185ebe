-- SPDX-License-Identifier: MIT
-- make growth: what objects cost as there are more of them, of names in them, and of processes that use them.

local ipc = require "ipc"

local HOST <const> = "/proc/" .. ipc.pid() .. "/exe"

-- Nanoseconds per call of fn(i).
local function cost_once(times, fn)
  local start = ipc.now()
  for i = 1, times do fn(i) end
  return (ipc.now() - start) / times * 1e9
end

-- cost(times, fn): nanoseconds per call of fn(times), the least of some runs.
return function(cost)
  local function names(n)
    local data <close> = assert(ipc.shared_data(ipc.private, {codec = "raw", size = 64 << 20}))
    local value, list = ("x"):rep(64), {}
    for i = 1, n do
      list[i] = ("name %d"):format(i * 7919 % n)
      assert(data:set(list[i], value))
    end
    local function each(fn)
      return cost(100000, function(times)
        for i = 1, times do fn(list[i * 7919 % n + 1]) end
      end)
    end
    return {
      get = each(function(name) data:get(name) end), set = each(function(name) data:set(name, value) end),
    }
  end

  -- A message each to queue after queue; and a message from another process, to one of those that tasks wait for.
  local function queues(n)
    local list, message = {}, ("x"):rep(64)
    local start = ipc.now()
    for i = 1, n do list[i] = assert(ipc.queue(ipc.private, {codec = "raw", capacity = 1000})) end
    local result = {open = (ipc.now() - start) / n * 1e9}
    result.message = cost(100000, function(times)
      for i = 1, times do
        local q = list[i * 7919 % n + 1]
        q:send(1, message)
        q:receive()
      end
    end)
    local back <close> = assert(ipc.queue(ipc.private, {codec = "raw"}))
    local trips = 2000
    local child <close> = assert(ipc.process(function(channel)
      for _ in channel:messages() do
        for i = 1, trips do
          list[i * 7919 % n + 1]:send(1, message)
          back:receive()
        end
        channel:send("done")
      end
    end))
    local tasks = {}
    for i, q in ipairs(list) do
      tasks[i] = ipc.task(function()
        for m in q:messages() do back:send(1, m) end
      end)
    end
    ipc.sleep(0.05) -- all wait
    result["round trip"] = cost(trips, function()
      child.channel:send("go")
      child.channel:receive()
    end)
    for _, task in ipairs(tasks) do task:cancel() end
    for _, q in ipairs(list) do q:close() end
    return result
  end

  -- What one operation costs if so many processes make nothing but these: time by operations of all.
  local function processes(n)
    local memory <close> = assert(ipc.shared_memory(ipc.private, 8))
    local mutex <close> = assert(ipc.mutex(ipc.private))
    local queue <close> = assert(ipc.queue(ipc.private, {codec = "raw"}))
    local data <close> = assert(ipc.shared_data(ipc.private))
    local function all(times, fn)
      local children = {}
      for i = 1, n do
        children[i] = assert(ipc.process(function(channel)
          for _ in channel:messages() do
            for _ = 1, times // n do fn() end
            channel:send("done")
          end
        end))
      end
      local result = cost(times, function()
        for _, child in ipairs(children) do child.channel:send("go") end
        for _, child in ipairs(children) do assert(child.channel:receive()) end
      end)
      for _, child in ipairs(children) do child:close() end
      return result
    end
    local message = ("x"):rep(64)
    return {
      add = all(400000, function() memory:add(0, 1) end),
      mutex = all(40000, function()
        mutex:acquire()
        mutex:release()
      end),
      message = all(80000, function()
        queue:send(1, message)
        queue:receive()
      end),
      ["data set"] = all(40000, function() data:set("x", 1) end),
    }
  end

  -- A message to any one of a hub's clients, in this process, and one from it.
  local function clients(n)
    local hub <close> = ipc.multi_stream_channel {codec = "raw"}
    local list, message = {}, ("x"):rep(64)
    for i = 1, n do list[i] = assert(hub:create_client()) end
    local function each(fn)
      return cost(20000, function(times)
        for i = 1, times do fn(i * 7919 % n + 1) end
      end)
    end
    local result = {
      ["to one"] = each(function(i)
        hub:send(message, i)
        list[i]:receive()
      end),
      ["from one"] = each(function(i)
        list[i]:send(message)
        hub:receive()
      end),
    }
    for _, client in ipairs(list) do client:close() end
    return result
  end

  -- One of so many listeners goes and comes again.
  local function listeners(n)
    local handler <close> = ipc.signal_handler("USR1")
    local list = {}
    for i = 1, n do
      list[i] = function() return i end
      handler:add(list[i])
    end
    return {
      ["add and remove"] = cost(20000, function(times)
        for i = 1, times do
          local fn = list[i * 7919 % n + 1]
          handler:remove(fn)
          handler:add(fn)
        end
      end),
    }
  end

  -- Opening one more of an object with a key, where so many are open.
  local function keys(n)
    local folder = os.tmpname()
    os.remove(folder)
    assert(os.execute("mkdir " .. folder))
    local function file(i)
      local path = folder .. "/" .. i
      assert(io.open(path, "w")):close()
      return assert(ipc.file_key(path))
    end
    local name = "growth" .. folder:gsub("/", ".")
    local result = {}
    for what, make in pairs{
      ["file semaphore"] = function(i) return ipc.semaphore(file(i), 1) end,
      ["file queue"] = function(i) return ipc.queue(file(i)) end,
      ["shm queue"] = function(i) return ipc.queue(ipc.shm_key(name .. i), {capacity = 1000}) end,
      ["shm mutex"] = function(i) return ipc.mutex(ipc.shm_key(name .. i)) end,
    } do
      local list, least = {}, math.huge
      for i = 1, n do list[i] = assert(make(i)) end
      for _ = 1, 5 do
        least = math.min(least, cost_once(20, function(i) list[n + i] = assert(make(n + i)) end))
        for _ = 1, 20 do table.remove(list):remove() end
      end
      result[what] = least
      for _, object in ipairs(list) do object:remove() end
    end
    os.execute("rm -r " .. folder)
    return result
  end

  -- KiB of a process that no file has.
  local ANONYMOUS <const> = [[
    local ipc = require "ipc"
    local function anonymous()
      collectgarbage()
      for text in io.lines("/proc/self/status") do
        local kib = text:match("^RssAnon:%s+(%d+)")
        if kib then return tonumber(kib) end
      end
    end
  ]]

  local makers = {
    ["queue (KiB)"] = "ipc.queue(ipc.private, {capacity = 1000})",
    ["mutex (KiB)"] = "ipc.mutex(ipc.private)",
    ["semaphore (KiB)"] = "ipc.semaphore(ipc.private, 1)",
    ["memory (KiB)"] = "ipc.shared_memory(ipc.private, 10)",
    ["channels (KiB)"] = "{ipc.stream_channel_pair()}",
    ["timer (KiB)"] = "ipc.timer(1000)",
    ["task (KiB)"] = "ipc.task(ipc.sleep, 1000)",
    ["both (KiB)"] = "ipc.task(function() ipc.queue(ipc.private, {capacity = 1000}):receive() end)",
  }

  local function number_from(code)
    local program <close> = assert(ipc.process{HOST, "-e", code, stdout = "pipe"})
    return tonumber((program.stdout:receive(60)))
  end

  -- The memory of a process for each of so many open objects, beside what it shares with others.
  local function memory(n)
    local result = {}
    for kind, make in pairs(makers) do
      result[kind] = number_from(ANONYMOUS .. ([[
        local list = {assert(%s)}
        ipc.sleep(0.01)
        local before = anonymous()
        for i = 2, %d do list[i] = assert(%s) end
        for _ = 1, 3 do ipc.yield() end
        print((anonymous() - before) / %d)
        os.exit(true)]]):format(make, n, make, n))
    end
    return result
  end

  -- Shared data, each with its database.
  local function data(n)
    local text = ANONYMOUS .. ([[
      local list = {ipc.shared_data(ipc.private, {size = 1 << 16})}
      local before, start = anonymous(), ipc.now()
      for i = 2, %d + 1 do list[i] = assert(ipc.shared_data(ipc.private, {size = 1 << 16})) end
      local took = ipc.now() - start
      print(arg[1] == "time" and took / %d * 1e9 or (anonymous() - before) / %d)]]):format(n, n, n)
    return {open = number_from("arg = {'time'} " .. text), ["memory (KiB)"] = number_from("arg = {} " .. text)}
  end

  -- Handles that nobody closes, in a program that may have 256 descriptors.
  local function dropped(n)
    local result = {}
    for name, make in pairs{channels = "ipc.stream_channel_pair()", ["file lock"] = "ipc.file_lock(path)"} do
      local program <close> = assert(ipc.process{"sh", "-c", "ulimit -n 256; exec \"$@\"", "sh", HOST, "-e", ([[
        local ipc, path = require "ipc", os.tmpname()
        local start = ipc.now()
        for _ = 1, %d do assert(%s) end
        print((ipc.now() - start) / %d * 1e9)
        os.remove(path)
        os.exit(true)]]):format(n, make, n), stdout = "pipe"})
      result[name] = tonumber((program.stdout:receive(60)))
    end
    return result
  end

  return {
    {"names in shared data", names, {1, 10, 100, 1000, 10000, 100000}, {"get", "set"}},
    {"queues", queues, {1, 10, 100, 1000, 10000}, {"open", "message", "round trip"}},
    {"processes", processes, {1, 2, 4, 8}, {"add", "mutex", "message", "data set"}},
    {"open shared data", data, {1, 50, 200}, {"open", "memory (KiB)"}},
    {"open keys", keys, {10, 100, 1000, 5000}, {"file semaphore", "file queue", "shm queue", "shm mutex"}},
    {"handles dropped", dropped, {100, 1000, 3000}, {"channels", "file lock"}},
    {"open objects", memory, {100, 1000, 10000}, {"queue (KiB)", "mutex (KiB)", "semaphore (KiB)", "memory (KiB)",
      "channels (KiB)", "timer (KiB)", "task (KiB)", "both (KiB)"}},
    {"clients of a hub", clients, {1, 10, 100, 400}, {"to one", "from one"}},
    {"listeners", listeners, {1, 10, 100, 1000, 10000}, {"add and remove"}},
  }
end
