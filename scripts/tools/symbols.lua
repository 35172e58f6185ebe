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

-- "build/runtime/loop/op.o" → what it defines and what it needs, by the path of its source without the ending
local function read(build)
  local files, owner = {}, {}
  for _, line in ipairs(lines(("find %s/runtime %s/bindings -name '*.o' | LC_ALL=C sort | xargs nm -gA")
    :format(build, build))) do
    local object, kind, name = line:match("^(.-)%.o:%x*%s*(%a) ([%w_]+)$")
    local path = object and object:sub(#build + 2)
    if path then
      local file = files[path] or {path = path, needs = {}, functions = {}}
      files[path] = file
      if kind == "U" then
        file.needs[#file.needs + 1] = name
      elseif kind ~= "w" and kind ~= "v" then
        owner[name] = path
        file.functions[#file.functions + 1] = name
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

-- `entry`: name of an entry point → where it is declared. Returns how many are declared elsewhere.
local function check_headers(root, files, entries, complain)
  local paths, elsewhere = {}, 0
  for path in pairs(files) do paths[#paths + 1] = path end
  table.sort(paths)
  for _, path in ipairs(paths) do
    local header = text_of(root .. "/" .. path .. ".h")
    for _, name in ipairs(files[path].functions) do
      if not header:find("%f[%w_]" .. name .. "%f[^%w_]") and name ~= "main" and not entries(name, path) then
        elsewhere = elsewhere + 1
        complain(("%s.c: %s is not declared in %s.h"):format(path, name, path))
      end
    end
  end
  return elsewhere
end

local function check_structs(root, complain)
  local where = {}
  for _, path in ipairs(lines(("cd '%s' && find runtime bindings -name '*.[ch]' | LC_ALL=C sort"):format(root))) do
    for name in ("\n" .. text_of(root .. "/" .. path)):gmatch("%f[%w_]struct (il_[%w_]+)%s*{") do
      if where[name] then complain(("%s: struct %s is in %s, too"):format(path, name, where[name])) end
      where[name] = path
    end
  end
end

-- `rules.entries(name, path)`: it is an entry point, declared in a list of those; `rules.circles`: known ones, each a
-- name of a file in it → how many files
function symbols.check(root, build, rules, complain)
  local files, owner = read(build)
  local largest = 0
  circles(files, owner, function(list)
    local size = #list
    for _, path in ipairs(list) do
      if (rules.circles[path] or MOST) > MOST then size = #list <= rules.circles[path] and 0 or size end
    end
    largest = math.max(largest, #list)
    if size > MOST then complain(("a circle of %d files: %s"):format(#list, table.concat(list, " "))) end
  end)
  local elsewhere = check_headers(root, files, rules.entries, complain)
  check_structs(root, complain)
  return largest, elsewhere
end

return symbols
