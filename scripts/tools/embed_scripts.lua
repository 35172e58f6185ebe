-- SPDX-License-Identifier: MIT
-- Writes the scripts that a Redis server runs as C to standard output:
--   lua5.4 embed_scripts.lua runtime/engines/redis/scripts > redis_scripts.h
-- noun_verb.lua becomes IL_SCRIPT_noun_verb. Its first line says which keys it is given: "-- KEYS: meta order". A
-- line "-- HERE: noun_part" puts another file there, which begins with "-- PART". Integers that have a name in
-- capitals, "local WIDTH, NAME = 49, 36", are put in its place: variables would cost time. Words in '...' stay.
-- The digest, by which the server knows a script, is that of the bytes.

local directory = assert(arg[1], "usage: embed_scripts.lua DIRECTORY > redis_scripts.h")

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  pipe:close()
  return text
end

local function constants(source)
  local values = {}
  source = source:gsub("local ([%u_, ]+) = ([%d, ]+)\n", function(names, numbers)
    local next_number = numbers:gmatch("%d+")
    for name in names:gmatch("[%u_]+") do values[name] = next_number() end
    return "\n"
  end)
  return (source:gsub("%f[%w_'][%u_]+%f[^%w_']", values))
end

-- without indentation and comments: it crosses the network
local function shorten(source)
  local lines = {}
  for line in source:gmatch("[^\n]+") do
    line = line:gsub("^%s+", ""):gsub("^%-%-.*", "")
    if line ~= "" then lines[#lines + 1] = line end
  end
  return constants(table.concat(lines, "\n"))
end

local function digest(source)
  local name = os.tmpname()
  local file = assert(io.open(name, "wb"))
  file:write(source)
  file:close()
  local sum = output("sha1sum " .. name):match("^%x+")
  os.remove(name)
  return assert(sum and #sum == 40 and sum, "sha1sum (coreutils) is needed")
end

local function bytes(source)
  local row = {source:byte(1, -1)}
  for i, byte in ipairs(row) do row[i] = byte > 127 and byte - 256 or byte end
  local lines = {}
  for first = 1, #row, 24 do
    lines[#lines + 1] = "\t" .. table.concat(row, ",", first, math.min(first + 23, #row)) .. ","
  end
  return table.concat(lines, "\n")
end

local names, arrays, rows = {}, {}, {}
local function read(name)
  local file <close> = assert(io.open(directory .. "/" .. name .. ".lua", "rb"))
  return file:read("a")
end

local function add(name, text)
  local keys = assert(text:match("^%-%- KEYS: ([%w ]+)\n"), name .. ".lua: the first line must be '-- KEYS: word word'")
  local source = shorten(text:gsub("%-%- HERE: ([%w_]+)\n", read))
  assert(load(source, "@" .. name .. ".lua", "t"))
  names[#names + 1] = ("\tIL_SCRIPT_%s,\n"):format(name)
  arrays[#arrays + 1] = ("static const char il_script_%s[] = {\n%s\n\t0\n};\n"):format(name, bytes(source))
  local _, spaces = keys:gsub(" ", "")
  local head = ([[$7\r\nEVALSHA\r\n$40\r\n%s\r\n$1\r\n%d\r\n]]):format(digest(source), spaces + 1)
  rows[#rows + 1] = ('\t{ "%s", "%s", il_script_%s, sizeof(il_script_%s) - 1 },\n'):format(head, keys, name, name)
end

for name in output("LC_ALL=C ls " .. directory):gmatch("([%w_]+)%.lua\n") do
  local text = read(name)
  if not text:find "^%-%- PART" then add(name, text) end
end
assert(#names > 0, "no scripts in " .. directory)

io.write("/* written by scripts/tools/embed_scripts.lua: do not edit */\n")
io.write("#ifndef IL_REDIS_SCRIPTS_H\n#define IL_REDIS_SCRIPTS_H\n\n#include <stddef.h>\n\n")
io.write("enum il_script {\n", table.concat(names), "\tIL_SCRIPTS\n};\n\n")
io.write("/* head: EVALSHA and the digest, then the number of keys, as they are sent; their sizes are below */\n",
  "struct il_script_source {\n\tconst char *head, *keys, *source;\n\tsize_t size;\n};\n",
  "enum { IL_SCRIPT_HEAD = 60, IL_SCRIPT_KEYS = 7 };\n\n")
io.write("#ifdef IL_SCRIPT_SOURCES\n", table.concat(arrays, "\n"), "\n")
io.write("static const struct il_script_source il_script_sources[] = {\n", table.concat(rows), "};\n#endif\n\n#endif\n")
