-- SPDX-License-Identifier: MIT
-- Holds the three lists of public names against each other: what `require "ipc"` and its classes really
-- offer, the stubs in types/ipc.lua, and the headings in doc/. Run by the host: `ipclua lint.lua`.
-- A method is written as in the docs, `timer:stop`: its class is the last word of the class name, in
-- small letters (SignalTrap → trap), except where WORD says otherwise.

local WORD = {Process = "child", MultiStreamChannel = "hub"}
-- classes that are plain tables of results: their fields are told where the call that makes them is told
local RESULTS = {Stats = true, TaskEntry = true, Finding = true, FindingMember = true, SignalInfo = true}

local function receiver(class)
  return WORD[class] or class:match("%u%l*$"):lower()
end

local function lines(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text:gmatch("[^\n]+")
end

-- every public name with a stub; a function is told apart from a field only by where it is declared
local function stubs()
  local names, class = {}, nil
  for line in lines("types/ipc.lua") do
    local declared = line:match("^%-%-%-@class%s+([%w_.]+)")
    class = declared or (line:match("^%-%-%-") and class)
    local field = line:match("^%-%-%-@field%s+([%w_]+)")
    local owner = class and class:match("^ipc%.(%u%w*)$")
    if field and class == "ipc" then
      names["ipc." .. field] = true
    elseif field and owner and not RESULTS[owner] and not owner:match("Options$") then
      names[receiver(owner) .. "." .. field] = true
    end
    local path = line:match("^function%s+(ipc%.[%w_.]+)%s*%(") or line:match("^(ipc%.[%w_.]+)%s*=")
    if path then names[path] = true end
    local of, method = line:match("^function%s+(%u%w*):([%w_]+)%s*%(")
    if of then names[receiver(of) .. ":" .. method] = true end
  end
  return names
end

-- the modules in Lua, whose stubs stand in place: what has a comment of three dashes right above it
local function modules(names)
  for _, path in ipairs{"scripts/ipc/pool.lua", "scripts/ipc/supervisor.lua"} do
    local before = ""
    for line in lines(path) do
      local of, dot, name = line:match("^function ([%w_]+)([.:])([%w_]+)")
      if of and before:match("^%-%-%-") then names[of:lower() .. dot .. name] = true end
      before = line
    end
  end
  return names
end

-- every heading that names something: `## ipc.sleep(seconds)`, `## timer:stop()`, `## child.pid`
local function headings()
  local names = {}
  local pipe = assert(io.popen("LC_ALL=C ls doc/*.md"))
  for page in pipe:lines() do
    for line in lines(page) do
      local name = line:match("^##+%s+`?([%l_]+[.:][%w_.]+)")
      if name then names[name] = page end
    end
  end
  pipe:close()
  return names
end

-- what is really there; a nested table, such as ipc.coroutine, counts with its members
local function offered()
  local names = {}
  for key, value in pairs(require "ipc") do
    names["ipc." .. key] = true
    if type(value) == "table" and getmetatable(value) == nil then
      for member in pairs(value) do names["ipc." .. key .. "." .. tostring(member)] = true end
    end
  end
  for key, meta in pairs(debug.getregistry()) do
    local class = type(key) == "string" and key:match("^ipc%.(%u%w*)$")
    if class and type(meta) == "table" and type(meta.__index) == "table" then
      for method in pairs(meta.__index) do
        if not method:match("^_") then names[receiver(class) .. ":" .. method] = true end
      end
    end
  end
  return names
end

local faults = 0

local function compare(these, those, text)
  local list = {}
  for name in pairs(these) do
    if not those[name] then list[#list + 1] = name end
  end
  table.sort(list)
  for _, name in ipairs(list) do
    faults = faults + 1
    print(text:format(name))
  end
end

local stub, heading, real = modules(stubs()), headings(), offered()
-- members that are handed on unchanged from the standard library need no words of ours
for name in pairs(real) do
  local member = name:match("^ipc%.coroutine%.([%w_]+)$")
  if member and coroutine[member] and not stub[name] then real[name] = nil end
end
-- fields live in objects, tables of tables have a stub through their members
local callable, parents = {}, {}
for name in pairs(stub) do
  if name:match("^ipc%.[%w_]+$") then callable[name] = true end
  local parent = name:match("^(ipc%.[%w_]+)%.")
  if parent then parents[parent] = true end
end
for parent in pairs(parents) do stub[parent] = true end

compare(stub, heading, "%s has a stub and no heading in doc/")
compare(heading, stub, "%s has a heading in doc/ and no stub in types/ipc.lua")
compare(real, stub, "%s exists and has no stub in types/ipc.lua")
compare(callable, real, "%s has a stub and does not exist")
print(("names: %d faults"):format(faults))
os.exit(faults == 0)
