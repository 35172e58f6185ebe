-- SPDX-License-Identifier: MIT
-- make growth: what an operation costs as there are more of something: names, objects, processes, tasks that wait.
-- Prints tables for doc/growth.md, and writes the plot beside it. Each figure is the least of some runs: the machine
-- has other work, too. With a word, only the tables whose titles have it are made, and no plot.
--   ipclua scripts/bench/growth.lua [WORD]

local ipc = require "ipc"

local RUNS <const> = tonumber(os.getenv("RUNS")) or 5
local here = arg[0]:match(".*/")
local word = arg[1]

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

local function cell(value)
  return value and (value < 10 and "%.1f" or "%.0f"):format(value) or "–"
end

-- Prints it, and returns its rows: the cost of each column by its name.
local function measure(subject)
  local title, fn, counts, columns = table.unpack(subject)
  local rows = {}
  print(("| %s | %s |"):format(title, table.concat(columns, " | ")))
  print("|---" .. ("|---"):rep(#columns) .. "|")
  for i, n in ipairs(counts) do
    rows[i] = fn(n)
    local cells = {}
    for k, name in ipairs(columns) do cells[k] = cell(rows[i][name]) end
    print(("| %d | %s |"):format(n, table.concat(cells, " | ")))
  end
  print()
  return rows
end

local measured = {}
for _, file in ipairs{"growth_waits", "growth_objects"} do
  for _, subject in ipairs(dofile(here .. file .. ".lua")(cost)) do
    if not word or subject[1]:find(word, 1, true) then
      measured[#measured + 1] = {subject = subject, rows = measure(subject)}
    end
  end
end
if not word then dofile(here .. "growth_plot.lua")(measured, "doc/growth.svg") end
