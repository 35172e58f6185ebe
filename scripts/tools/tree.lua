-- SPDX-License-Identifier: MIT
-- Looks at the tree as text: nothing stands beside the known top level, every path that a comment or a page names is
-- there, and the prose of the pages is wrapped.
--   lua5.4 tree.lua

local TOP <const> = {
  ".busted", ".ci", ".clang-format", ".editorconfig", ".gitignore", ".luacheckrc", "CHANGELOG.md", "CONTRIBUTING.md",
  "LICENSE", "Makefile", "README.md", "bindings", "doc", "ipclua-scm-1.rockspec", "runtime", "scripts", "spec", "types",
}
local WIDTH <const> = 120
-- folders whose name alone makes a word a path, and those from which a comment may name one
local ROOTS <const> = {"runtime", "bindings", "spec", "scripts", "doc", "types"}
local BASES <const> = {"", "runtime/", "bindings/", "runtime/engines/", "runtime/engines/redis/", "doc/"}
-- in build/, Lua's, LMDB's
local FOREIGN <const> = {
  "embed.h", "ipctl_scripts.h", "redis_scripts.h", "lua.h", "lua.c", "ldblib.c", "lcorolib.c", "lmdb.h",
  "linux/proc_ns.h",
}
-- what a comment is, by the end of the file's name; in C, one that goes over many lines, too
local COMMENTS <const> = {lua = "%-%-([^\n]*)", py = "#([^\n]*)", php = "//([^\n]*)", [""] = "#([^\n]*)"}
local ENDS <const> = {c = true, h = true, lua = true, md = true, py = true, php = true}

local faults = 0

local function complain(...)
  faults = faults + 1
  print((...):format(select(2, ...)))
end

local function set(list)
  local members = {}
  for _, member in ipairs(list) do members[member] = true end
  return members
end

local function lines_of(command)
  local lines = {}
  local pipe = assert(io.popen(command))
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  return lines
end

local function content(path)
  local file = assert(io.open(path))
  local text = file:read("a")
  file:close()
  return text
end

-- Everything in the tree: paths, files or folders, and the last parts of them.
local paths, names = {}, {}
local FIND <const> = "find bindings doc runtime scripts spec types *.md *.rockspec Makefile -printf '%y %p\n'"
for _, line in ipairs(lines_of(FIND)) do
  local kind, path = line:match("^(%a) (.*)$")
  paths[path] = kind
  names[path:match("[^/]*$")] = true
end

local function top_level()
  local known = set(TOP)
  for _, path in ipairs(lines_of("git ls-files 2>/dev/null | cut -d/ -f1 | sort -u")) do
    if not known[path] then complain("%s: the top level has no such entry (TOP in scripts/tools/tree.lua)", path) end
  end
end

-- Whether there is such a path, seen from the file; a * is any part of a name.
local function found(path, from)
  local here = from:match("^(.*/)") or ""
  local star = path:find("*", 1, true) and "^" .. path:gsub("[%-%.]", "%%%0"):gsub("%*", "[^/]*") .. "$"
  for _, base in ipairs{here, table.unpack(BASES)} do
    if not star and paths[base .. path] then return true end
    for known in pairs(star and paths or {}) do
      if known:sub(1, #base) == base and known:sub(#base + 1):find(star) then return true end
    end
  end
  return false
end

local roots, foreign = set(ROOTS), set(FOREIGN)

-- Whether a word of a comment or page is a path that is not there, or the name of a file of C that is nowhere.
local function stale(word, from)
  if foreign[word] or word:find("^/") or word:find("%u%u") or word:find("..", 1, true) then return false end
  local ending = word:match("%.(%w+)$")
  if not word:find("/", 1, true) then return (ending == "c" or ending == "h") and not names[word] end
  return (roots[word:match("^([^/]+)/")] or ENDS[ending]) and not found(word, from)
end

-- NAME in a path stands for any name; what <angle brackets> include is the system's.
local function check_words(text, from)
  for number, line in text:gmatch("(%d+):([^\n]*)") do
    for word in line:gsub("%w+://%S+", ""):gsub("<[^>]*>", ""):gmatch("[%w_%.%-/%*]+") do
      word = word:gsub("^%./", ""):gsub("[%.%-/]+$", "")
      if stale(word, from) then complain("%s:%s: there is no %s", from, number, word) end
    end
  end
end

-- The comments of a file that ends in this way, each line with its number in front.
local function comments(text, ending)
  local numbered, number = {}, 0
  local inside = false
  for line in text:gmatch("([^\n]*)\n?") do
    number = number + 1
    local comment
    if ending == "md" then comment = line
    elseif ending == "c" or ending == "h" then
      comment = inside and line or line:match("/%*.*") or line:match("//.*")
      if line:find("/*", 1, true) then inside = true end
      if line:find("*/", 1, true) then inside = false end
    else comment = line:match(COMMENTS[ending] or COMMENTS[""]) end
    if comment then numbered[#numbered + 1] = number .. ":" .. comment end
  end
  return table.concat(numbered, "\n")
end

local function stale_paths()
  for path, kind in pairs(paths) do
    local ending = path:match("%.(%w+)$") or ""
    if kind == "f" and (ENDS[ending] or ending == "") and path ~= "CHANGELOG.md" then -- history names what was
      check_words(comments(content(path), ending), path)
    end
  end
end

-- Prose alone: tables, headings and code cannot be wrapped.
local function wide_lines()
  for _, path in ipairs(lines_of("ls doc/*.md README.md CONTRIBUTING.md")) do
    local number, code = 0, false
    for line in io.lines(path) do
      number = number + 1
      if line:find("^%s*```") then code = not code end
      if not code and not line:find("^%s*[|<]") and utf8.len(line) > WIDTH then
        complain("%s:%d: prose is wrapped at %d columns", path, number, WIDTH)
      end
    end
  end
end

top_level()
stale_paths()
wide_lines()
print(("tree: %d faults"):format(faults))
os.exit(faults == 0)
