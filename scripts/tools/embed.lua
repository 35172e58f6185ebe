-- SPDX-License-Identifier: MIT
-- Writes the scripts of the module, or those of ipctl, as C to standard output: `lua5.4 embed.lua scripts/ipc`.
-- Runs at build time, under stock Lua. The source goes in byte by byte, comments and all, so that line
-- numbers in tracebacks are those of the files. x.lua is "ipc.x", after its folder.
-- Bytes are written as numbers: a string literal has a length limit in C11 and trigraphs to fear.

local directory = assert(arg[1], "usage: embed.lua DIRECTORY > embed.h")
local module = directory:match("[^/]+$")

local function list(path)
  local names = {}
  local pipe = assert(io.popen("LC_ALL=C ls '" .. path .. "'"))
  for name in pipe:lines() do
    if name:match("^[%w_]+%.lua$") then names[#names + 1] = name end
  end
  pipe:close()
  return names
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local source = file:read("a")
  file:close()
  -- what does not compile shall fail here, not in the first program that loads it
  assert(load(source, "@" .. path, "t"))
  return source
end

local function bytes(source)
  local lines = {}
  for first = 1, #source, 24 do
    local row = {source:byte(first, math.min(first + 23, #source))}
    for i, byte in ipairs(row) do
      if byte > 127 then row[i] = byte - 256 end -- char is signed on x86, and -Wconversion looks
    end
    lines[#lines + 1] = "\t" .. table.concat(row, ",") .. ","
  end
  return table.concat(lines, "\n")
end

local out, rows = {}, {}
for _, name in ipairs(list(directory)) do
  local base = name:gsub("%.lua$", "")
  local source = read(directory .. "/" .. name)
  local symbol = "il_lua_" .. base
  -- the closing 0 makes it a C string; it is not part of the size
  out[#out + 1] = ("static const char %s[] = {\n%s\n\t0\n};\n"):format(symbol, bytes(source))
  rows[#rows + 1] = ('\t{ "%s.%s", %s, sizeof(%s) - 1 },\n'):format(module, base, symbol, symbol)
end
if #rows == 0 then error("no Lua files in " .. directory) end

io.write("/* written by scripts/tools/embed.lua: do not edit */\n")
io.write("#ifndef IL_EMBED_H\n#define IL_EMBED_H\n\n#include <stddef.h>\n\n")
io.write("struct il_embed {\n\tconst char *name;\n\tconst char *source;\n\tsize_t size;\n};\n\n")
io.write(table.concat(out, "\n"), "\n")
io.write("static const struct il_embed il_embedded[] = {\n", table.concat(rows), "};\n\n#endif\n")
