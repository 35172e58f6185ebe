-- SPDX-License-Identifier: MIT
-- Reads the #include lines of the tree and fails on an edge that runs up or sideways between the floors:
--   0 base · 1a loop · 1b os · 1c stream · 2 engines · 3 sched · 4 bindings · 5 main
-- A file sees its own folder and the floors below. Engines never see each other; nobody sees an engine but
-- through engines/engine.h, and only engines/registry.c, the table, names them. The scheduler sees no engine
-- at all: the two meet in loop/op.h. Only sched, bindings and main may know Lua.
-- With a folder of objects as the second argument: what symbols.lua says, too.
--   lua5.4 floors.lua [root [build]]

package.path = "scripts/tools/?.lua;" .. package.path
local symbols = require "symbols"

local root, build = arg[1] or ".", arg[2]
local LUA_HEADERS = {["lua.h"] = true, ["lauxlib.h"] = true, ["lualib.h"] = true, ["luaconf.h"] = true}
local FLOORS = {base = 0, loop = 1.1, os = 1.2, stream = 1.3, engines = 2, sched = 3}

-- Known faults, to become fewer: functions that are declared elsewhere, by file; files of a circle, by one of them;
-- structs whose name is there twice.
local ELSEWHERE = {}
local CIRCLES = {}
local STRUCTS = {}

-- "runtime/loop/op.c" → 1.1, "loop"; the second value is the unit that may see itself freely
local function place(path)
  if path:match("^bindings/") then return 4, "bindings" end
  if path:match("^runtime/[^/]+$") then return 5, "main" end
  local folder, rest = path:match("^runtime/([^/]+)/(.+)$")
  local floor = FLOORS[folder]
  if not floor then return nil end
  local engine = folder == "engines" and rest:match("^([^/]+)/")
  return floor, engine and "engines/" .. engine or folder
end

local function exists(path)
  local file = io.open(root .. "/" .. path)
  if file then file:close() end
  return file ~= nil
end

-- where the compiler would find it: the file's own folder, then -Iruntime -Ibindings
local function resolve(from, name)
  local here = from:match("^(.*/)")
  for _, folder in ipairs {here, "runtime/", "bindings/"} do
    if exists(folder .. name) then return folder .. name end
  end
end

-- nil when the edge is fine, else why not
local function judge(from, name)
  local floor, unit = place(from)
  if LUA_HEADERS[name] then
    return floor < 3 and "only sched, bindings and main may know Lua" or nil
  end
  if name == "redis_scripts.h" then
    if from:match("^runtime/engines/redis/") then return nil end
    return "what the server runs is the engine's"
  end
  if name == "embed.h" or name == "ipctl_scripts.h" then
    return floor < 4 and "the embedded scripts are for bindings and main" or nil
  end
  local target = resolve(from, name)
  if not target then return "no such header in runtime/ or bindings/" end
  local to, to_unit = place(target)
  if not to then return target .. " stands on no floor" end
  if to_unit == unit then return nil end
  if to > floor then return ("up: %s (%g) → %s (%g)"):format(unit, floor, to_unit, to) end
  if to_unit:match("^engines/") then
    if from:match("^runtime/engines/registry%.[ch]$") then return nil end
    return "an engine is seen only through engines/engine.h"
  end
  if to_unit == "engines" and floor == 3 then return "the scheduler sees no engine: meet in loop/op.h" end
  if to_unit == "engines" and target:match("/engines%.h$") and floor == 2 then
    return "an engine must not see the table of engines"
  end
  if to == floor and to_unit ~= "engines" then return "sideways: " .. unit .. " → " .. to_unit end
end

local function check(path, complain)
  local file = assert(io.open(root .. "/" .. path))
  local number = 0
  for line in file:lines() do
    number = number + 1
    local open, name = line:match("^%s*#%s*include%s*([<\"])([^>\"]+)[>\"]")
    if name and (open == '"' or LUA_HEADERS[name]) then
      local why = judge(path, name)
      if why then complain(("%s:%d: %s: %s"):format(path, number, name, why)) end
    end
  end
  file:close()
end

local files, faults = 0, 0
local pipe = assert(io.popen(("cd '%s' && find runtime bindings -name '*.[ch]' | LC_ALL=C sort"):format(root)))
for path in pipe:lines() do
  files = files + 1
  local complain = function(text)
    faults = faults + 1
    print(text)
  end
  if place(path) then check(path, complain) else complain(path .. ": stands on no floor") end
end
pipe:close()

-- Entry points, listed in one header: the classes in classes.h, what an engine's table has in ENGINE/ENGINE.h; what
-- the others have of the store, in local_data.h.
local function is_entry(path, name)
  local engine = path:match("^runtime/engines/(%w+)/")
  local list = engine == "store" and "runtime/engines/local_data.h"
    or engine and ("runtime/engines/%s/%s.h"):format(engine, engine)
    or path:match("^bindings/") and name:match("_open$") and "bindings/classes.h"
  return list and symbols.text_of(root .. "/" .. list):find("%f[%w_]" .. name .. "%f[^%w_]") ~= nil
end

if build then
  local rules = {is_entry = is_entry, elsewhere = ELSEWHERE, circles = CIRCLES, structs = STRUCTS}
  local largest, elsewhere = symbols.check(root, build, rules, function(text)
    faults = faults + 1
    print(text)
  end)
  print(("floors: largest circle %d, %d functions declared in the header of another file"):format(largest, elsewhere))
end
print(("floors: %d files, %d faults"):format(files, faults))
os.exit(files > 0 and faults == 0)
