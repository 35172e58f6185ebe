-- SPDX-License-Identifier: MIT
-- make growth: what an operation costs as there are more of something: names in shared data, queues, clients. Prints
-- tables for doc/growth.md, and writes the plot beside it. Each figure is the least of some runs: the machine has other
-- work, too.
--   ipclua scripts/bench/growth.lua [svg]

local ipc = require "ipc"

local RUNS <const> = tonumber(os.getenv("RUNS")) or 5
local svg = arg[1] or "doc/growth.svg"

-- Nanoseconds per call of fn(times).
local function cost(times, fn)
  local least = math.huge
  for _ = 1, RUNS do
    collectgarbage()
    local start = ipc.now()
    fn(times)
    least = math.min(least, (ipc.now() - start) / times * 1e9)
  end
  return least
end

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

local subjects = {
  {"names in shared data", names, {1, 10, 100, 1000, 10000, 100000}, {"get", "set"}},
  {"queues", queues, {1, 10, 100, 1000, 10000}, {"open", "message", "round trip"}},
  {"processes", processes, {1, 2, 4, 8}, {"add", "mutex", "message", "data set"}},
  {"clients of a hub", clients, {1, 10, 100, 400}, {"to one", "from one"}},
  {"listeners", listeners, {1, 10, 100, 1000, 10000}, {"add and remove"}},
}

-- The plot ----------------------------------------------------------------------------------------------------

local WIDTH <const>, HEIGHT <const>, LEFT <const>, TOP <const>, LOW <const>, HIGH <const> = 360, 260, 60, 30, 1, 6
local colours = {"#1b6ca8", "#c0392b", "#27864a", "#8e44ad"}

local function height(ns)
  return TOP + HEIGHT * (1 - (math.log(ns, 10) - LOW) / (HIGH - LOW))
end

local function line(out, points, colour)
  out[#out + 1] = ('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>'):format(colour,
    table.concat(points, " "))
end

local function text(out, x, y, anchor, what, colour)
  out[#out + 1] = ('<text x="%.0f" y="%.0f" text-anchor="%s" fill="%s">%s</text>'):format(x, y, anchor,
    colour or "#333", what)
end

local function plot(out, at, subject, rows)
  local counts, series = subject[3], subject[4]
  local function across(i) return at + (i - 1) / (#counts - 1) * WIDTH end
  text(out, at + WIDTH / 2, TOP - 12, "middle", "ns by number of " .. subject[1])
  for power = LOW, HIGH do
    local y = height(10 ^ power)
    line(out, {("%.0f,%.0f"):format(at, y), ("%.0f,%.0f"):format(at + WIDTH, y)}, "#ddd")
    text(out, at - 6, y + 4, "end", ("%d"):format(10 ^ power))
  end
  for i, n in ipairs(counts) do text(out, across(i), TOP + HEIGHT + 18, "middle", n) end
  for k, name in ipairs(series) do
    local points = {}
    for i, row in ipairs(rows) do points[i] = ("%.1f,%.1f"):format(across(i), height(row[name])) end
    line(out, points, colours[k])
    text(out, at + 10, TOP + 16 * k, "start", name, colours[k])
  end
end

local out = {('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">')
  :format(#subjects * (WIDTH + LEFT) + 30, TOP + HEIGHT + 40), '<rect width="100%" height="100%" fill="white"/>'}
for s, subject in ipairs(subjects) do
  local rows = {}
  print(("| %s | %s |"):format(subject[1], table.concat(subject[4], " | ")))
  print("|---" .. ("|---"):rep(#subject[4]) .. "|")
  for i, n in ipairs(subject[3]) do
    rows[i] = subject[2](n)
    local cells = {}
    for k, name in ipairs(subject[4]) do cells[k] = ("%.0f"):format(rows[i][name]) end
    print(("| %d | %s |"):format(n, table.concat(cells, " | ")))
  end
  print()
  plot(out, LEFT + (s - 1) * (WIDTH + LEFT), subject, rows)
end
out[#out + 1] = "</svg>\n"
local file <close> = assert(io.open(svg, "w"))
file:write(table.concat(out, "\n"))
