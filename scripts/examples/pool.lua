-- SPDX-License-Identifier: MIT
-- A pool over files: their longest lines, by as many processes as there are CPUs. `pool.lua FILE...` for your own;
-- without arguments it makes three. Then: what is done when a worker dies, and when a file cannot be read. See
-- doc/pool.md, and wordcount.lua for a larger one.

local files, folder = {...}, nil
for _, name in ipairs(files) do
  if name:sub(1, 1) == "-" then
    (name == "--help" and io.stdout or io.stderr):write "usage: ipclua pool.lua [FILE...]\n"
    os.exit(name == "--help" and 0 or 2)
  elseif not io.open(name) then
    io.stderr:write("pool.lua: there is no file ", name, "\n")
    os.exit(1)
  end
end
local mark = os.tmpname()
local _ <close> = setmetatable({}, {__close = function() -- at the end, whatever that is: Ctrl-C, an error
  local _ <close> = require "ipc".signal_trap("INT") -- a Ctrl-C has to wait for this
  os.remove(mark)
  for _, name in ipairs(folder and files or {}) do os.remove(name) end
  if folder then os.remove(folder) end
end})
if #files == 0 then
  folder = os.tmpname()
  os.remove(folder)
  os.execute("mkdir " .. folder)
  for i, text in ipairs {"one\nthree\n", "a long line\nshort\n", "x\n"} do
    files[i] = folder .. "/" .. i
    local file <close> = assert(io.open(files[i], "w"))
    file:write(text)
  end
end

local function longest_line(name)
  local file <close>, longest = assert(io.open(name)), ""
  for line in file:lines() do
    if #line > #longest then longest = line end
  end
  return longest
end

local pool <close> = require "ipc.pool".new()

-- Results are in the order of the items; progress is told as they come.
local seen = 0
local lines = pool:map(files, longest_line, function(done, total) seen = done // total end)
for i, line in ipairs(lines) do print(i, line) end
print("all seen:", seen == 1)

-- A job whose worker dies is done again; here the first one dies half-way.
local function dies_once(word)
  if word == "two" and os.remove(mark) then os.execute("kill -s KILL $PPID") end
  return word:upper()
end
local words = pool:map({"one", "two", "three"}, dies_once, {
  died = function(word, how, code, again) print("died over " .. word, how, code, again and "once more") end,
})
print(table.concat(words, " "))

-- An error ends the whole map, unless `failed` says what shall stand in its place.
local _, problem = pcall(pool.map, pool, {"/no/such/file"}, longest_line)
print((problem:match("^[^\n]*"))) -- below it is the worker's traceback
print(pool:map({"/no/such/file"}, longest_line, {failed = function() return "nothing" end})[1])

-- A single job is a task: joined when it is wanted, and a case of a select.
local sum = pool:submit(function(n)
  local total = 0
  for i = 1, n do total = total + i end
  return total
end, 1000000)
print(select(2, sum:join()))
