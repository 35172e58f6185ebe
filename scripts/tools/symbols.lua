-- SPDX-License-Identifier: MIT
-- What the linker knows of the object files below BUILD, for floors.lua: which of them need each other in a circle, and
-- which external functions are declared elsewhere than in the header of their own file. And from the source: no struct
-- has a name that another one has.

local symbols = {}

local MOST = 4 -- files of a circle: one thing in several files

local function lines(command)
  local pipe = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

local function sources(root, ending)
  return lines(("cd '%s' && find runtime bindings -name '*.%s' | LC_ALL=C sort"):format(root, ending))
end

-- the symbols of each object: what it defines and what it needs, by the path of its source without the ending
local function read(root, build)
  local files, owner, is_there = {}, {}, {}
  for _, path in ipairs(sources(root, "c")) do is_there[path:sub(1, -3)] = true end
  local folder = build:match("^/") and build or root .. "/" .. build
  for _, line in ipairs(lines(("cd '%s' && find runtime bindings -name '*.o' | LC_ALL=C sort | xargs nm -gA")
    :format(folder))) do
    local path, kind, name = line:match("^(.-)%.o:%x*%s*(%a) ([%w_]+)$")
    if is_there[path] then -- not of a file that was renamed since
      local file = files[path] or {path = path, needs = {}, functions = {}}
      files[path] = file
      if kind == "U" then
        file.needs[#file.needs + 1] = name
      elseif kind ~= "w" and kind ~= "v" then
        owner[name] = path
        if kind ~= "u" then file.functions[#file.functions + 1] = name end -- u: shared by all that are loaded
      end
    end
  end
  return files, owner
end

-- Tarjan: calls found(list) for each circle of two files or more
local function circles(files, owner, found)
  local index, low, on, stack, count = {}, {}, {}, {}, 0
  local function visit(path)
    count = count + 1
    index[path], low[path], on[path] = count, count, true
    stack[#stack + 1] = path
    for _, name in ipairs(files[path].needs) do
      local to = owner[name]
      if to and not index[to] then
        visit(to)
        low[path] = math.min(low[path], low[to])
      elseif to and on[to] then
        low[path] = math.min(low[path], index[to])
      end
    end
    if low[path] == index[path] then
      local list = {}
      repeat
        local last = table.remove(stack)
        on[last] = false
        list[#list + 1] = last
      until last == path
      if #list > 1 then
        table.sort(list)
        found(list)
      end
    end
  end
  local paths = {}
  for path in pairs(files) do paths[#paths + 1] = path end
  table.sort(paths)
  for _, path in ipairs(paths) do
    if not index[path] then visit(path) end
  end
end

local function text_of(path)
  local file = io.open(path)
  local text = file and file:read("a"):gsub("/%*.-%*/", "") or ""
  if file then file:close() end
  return text
end

-- How many functions are declared elsewhere.
local function check_headers(root, files, rules, complain)
  local paths, total = {}, 0
  for path in pairs(files) do paths[#paths + 1] = path end
  table.sort(paths)
  for _, path in ipairs(paths) do
    local header, elsewhere = text_of(root .. "/" .. path .. ".h"), {}
    for _, name in ipairs(files[path].functions) do
      if name ~= "main" and not header:find("%f[%w_]" .. name .. "%f[^%w_]") and not rules.is_entry(path, name) then
        elsewhere[#elsewhere + 1] = name
      end
    end
    total = total + #elsewhere
    if #elsewhere > (rules.elsewhere[path] or 0) then
      complain(("%s.c: not declared in a header of its own: %s"):format(path, table.concat(elsewhere, " ")))
    end
  end
  return total
end

local function check_structs(root, rules, complain)
  local where = {}
  for _, path in ipairs(sources(root, "[ch]")) do
    for name in ("\n" .. text_of(root .. "/" .. path)):gmatch("%f[%w_]struct (il_[%w_]+)%s*{") do
      if where[name] and not rules.structs[name] then
        complain(("%s: struct %s is in %s, too"):format(path, name, where[name]))
      end
      where[name] = path
    end
  end
end

-- `rules`: is_entry(path, name): it is one of a list of entry points, which has a header of its own; known faults:
-- elsewhere, by file, how many functions; circles, by a file in it, how many files. Returns the size of the largest
-- circle, and how many functions are declared elsewhere.
function symbols.check(root, build, rules, complain)
  local files, owner = read(root, build)
  local largest = 0
  circles(files, owner, function(list)
    local most = MOST
    for _, path in ipairs(list) do most = math.max(most, rules.circles[path] or 0) end
    largest = math.max(largest, #list)
    if #list > most then complain(("a circle of %d files: %s"):format(#list, table.concat(list, " "))) end
  end)
  check_structs(root, rules, complain)
  return largest, check_headers(root, files, rules, complain)
end

symbols.text_of = text_of

return symbols
