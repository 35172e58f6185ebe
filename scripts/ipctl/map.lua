-- SPDX-License-Identifier: MIT
-- ipctl map: processes and objects as a graph. Which processes have an object open, the kernel tells; what tasks wait
-- for and hold, their boards.

local ipc = require "ipc"
local json = require "ipctl.json"
local listing = require "ipctl.listing"
local out = require "ipctl.out"
local system = require "ipctl.system"

local map = {}

-- What `ls` calls the key of a board: of a file it knows the number only.
local function name_of(key)
  if not key:find("^file:") then return key end
  local ok, file = pcall(ipc.key, key)
  return ok and file and ("sysv:0x%08x"):format(file.id & 0xffffffff) or key
end

local function task_text(wait)
  if wait.task == 0 then return "main chunk" end
  return wait.name and ("task %d %s"):format(wait.task, wait.name) or "task " .. wait.task
end

-- Edges from objects to processes: {pid, what, text}.
local function collect()
  local graph <const> = {objects = {}, commands = {}}
  local by_key <const> = {}
  local function object_of(key)
    local object = by_key[key]
    if not object then
      object = {key = key, nouns = {}, edges = {}}
      by_key[key] = object
      table.insert(graph.objects, object)
    end
    return object
  end
  local function add(key, pid, what, text)
    if key ~= "" then table.insert(object_of(name_of(key)).edges, {pid = pid, what = what, text = text}) end
  end
  for _, found in ipairs(listing.all({}, false)) do
    local object <const> = object_of(found.key)
    table.insert(object.nouns, found.noun)
    for _, pid in ipairs(found.pids or {}) do add(found.key, pid, "open", found.noun) end
  end
  for _, process in ipairs(system.core().script("ipc.board").all()) do
    graph.commands[process.pid] = process.command
    for _, wait in ipairs(process.waits) do
      for _, case in ipairs(wait.cases or {wait}) do
        add(case.key, process.pid, "waits", ("%s: %s"):format(task_text(wait), case.call))
      end
      for _, hold in ipairs(wait.holds) do add(hold.key, process.pid, "holds", task_text(wait)) end
    end
  end
  table.sort(graph.objects, function(a, b) return a.key < b.key end)
  return graph
end

local function show_text(graph)
  local lines = {}
  for _, object in ipairs(graph.objects) do
    local nouns = #object.nouns > 0 and " (" .. table.concat(object.nouns, ", ") .. ")" or ""
    lines[#lines + 1] = json.plain(object.key .. nouns)
    for _, edge in ipairs(object.edges) do
      local command <const> = graph.commands[edge.pid] or ""
      lines[#lines + 1] = json.plain(("  %-5s  %d %s, %s"):format(edge.what, edge.pid, command:sub(1, 60), edge.text))
    end
  end
  out.write(table.concat(lines, "\n") .. "\n")
end

-- In the language of Graphviz. A string there is written as one of JSON.
local function show_dot(graph)
  local lines, seen = {"digraph ipc {", "  rankdir=LR;"}, {}
  local function process(pid)
    local name = "p" .. pid
    if not seen[pid] then
      seen[pid] = true
      local label = pid .. "\n" .. (graph.commands[pid] or ""):sub(1, 60)
      lines[#lines + 1] = ("  %s [shape=ellipse, label=%s];"):format(name, (json.string(label):gsub("\\u000a", "\\n")))
    end
    return name
  end
  for i, object in ipairs(graph.objects) do
    lines[#lines + 1] = ("  o%d [shape=box, label=%s];"):format(i, json.string(object.key))
    for _, edge in ipairs(object.edges) do
      local p, label = process(edge.pid), json.string(edge.text)
      local form = edge.what == "holds" and "o%d -> %s [color=red, label=%s];"
        or edge.what == "waits" and "o%d -> %s [dir=back, label=%s];" or "o%d -> %s [style=dotted, dir=none, label=%s];"
      lines[#lines + 1] = "  " .. form:format(i, p, label)
    end
  end
  lines[#lines + 1] = "}"
  out.write(table.concat(lines, "\n") .. "\n")
end

function map.run(parsed)
  local graph <const> = collect()
  if #graph.objects == 0 then return 1 end
  local show <const> = parsed.dot and show_dot or show_text
  show(graph)
  return 0
end

return map
