-- SPDX-License-Identifier: MIT
-- Counts the words of files on as many processes as there are CPUs:
--
--     ipclua wordcount.lua [-j workers] [--all] [file...]
--
-- Without files it reads the texts in /usr/share/common-licenses. A word is a run of the letters
-- A to Z, in lower case. The workers are those of a pool: one that dies is replaced and its file
-- counted again; Ctrl-C stops them, prints what was finished and exits with status 130.

local ipc = require "ipc"
local new_pool = require "ipc.pool".new

local TEXTS <const> = "/usr/share/common-licenses"
local BLOCK <const> = 1 << 20 -- a file is read by the mebibyte, however large it is
local TRIES <const> = 3       -- workers one file may take down before it is given up

-- In a worker -------------------------------------------------------------------------------------

local function add(counts, text)
  for word in text:lower():gmatch("%a+") do counts[word] = (counts[word] or 0) + 1 end
end

-- A file's counts by word; or { failure = } if it cannot be read.
local function count_file(name)
  local file <close>, cannot_open = io.open(name, "rb")
  if not file then return { failure = cannot_open } end
  local words, bytes, rest = {}, 0, ""
  repeat
    local block, cannot_read = file:read(BLOCK)
    if cannot_read then return { failure = name .. ": " .. cannot_read } end
    -- A word may go on in the next block: it waits in `rest`. A blank ends the file's last word.
    local text = rest .. (block or " ")
    local whole, start = text:match("^(.*%A)(%a*)$")
    rest = start or text
    add(words, whole or "")
    bytes = bytes + (block and #block or 0)
  until not block
  return { words = words, bytes = bytes }
end

-- The main program --------------------------------------------------------------------------------

local Count = {}
Count.__index = Count

local TERMINAL <const> = os.execute("test -t 2") -- has a bar
local CLEAR <const> = "\r\27[K"                  -- goes back to the beginning of the bar, and deletes it

local function complain(text, ...)
  io.stderr:write(TERMINAL and CLEAR or "", "wordcount: ", text:format(...), "\n")
end

-- Called by the pool: a file has been counted, or given up.
function Count:settle(result)
  if not result.words then
    self.failed = self.failed + 1
    return result.failure and complain("%s", result.failure)
  end
  self.finished, self.bytes = self.finished + 1, self.bytes + result.bytes
  for word, n in pairs(result.words) do
    self.total[word] = (self.total[word] or 0) + n
    self.words = self.words + n
  end
end

function Count:run(pool, names)
  return pool:map(names, count_file, {
    progress = function(_, _, _, result) self:settle(result) end,
    died = function(name, how, code, again)
      complain("%s: its worker died (%s %d), %s", name, how, code, again and "counting it again" or "given up")
    end,
    failed = function(name, problem) -- that its workers died has been said
      return { failure = not problem:find("worker died") and name .. ": " .. problem }
    end,
  })
end

function Count:draw_bar(files)
  local width, done = 40, self.finished + self.failed
  local full = width * done // math.max(files, 1)
  io.stderr:write(CLEAR, ("[%s%s] %d of %d files, %.1f MiB"):format(("#"):rep(full),
    ("-"):rep(width - full), done, files, self.bytes / 2^20))
end

function Count:report(all, files, partial)
  local total, words = self.total, {}
  for word in pairs(total) do words[#words + 1] = word end
  table.sort(words, function(a, b)
    if not all and total[a] ~= total[b] then return total[a] > total[b] end
    return a < b
  end)
  for i = 1, all and #words or math.min(10, #words) do
    print(("%7d %s"):format(total[words[i]], words[i])) -- as uniq -c prints them
  end
  local out = all and io.stderr or io.stdout
  out:write(("%d of %d files, %d words, %d different%s\n"):format(self.finished, files, self.words,
    #words, partial and " (partial: interrupted)" or ""))
end

local function usage(status)
  (status == 0 and io.stdout or io.stderr):write "usage: ipclua wordcount.lua [-j WORKERS] [--all] [FILE...]\n"
  os.exit(status)
end

local function parse(args)
  local names, workers, all = {}, nil, false
  while #args > 0 do
    local word = table.remove(args, 1)
    if word == "-j" then
      workers = math.tointeger(tonumber(table.remove(args, 1)))
      if not workers or workers < 1 then usage(2) end
    elseif word == "--all" then all = true
    elseif word:sub(1, 1) == "-" then usage(word == "--help" and 0 or 2)
    else names[#names + 1] = word end
  end
  if #names == 0 then
    for name in io.popen("find " .. TEXTS .. " -type f"):lines() do names[#names + 1] = name end
  end
  return names, workers, all
end

local function main(args)
  local names, workers, all = parse(args)
  local count = setmetatable({ total = {}, words = 0, bytes = 0, finished = 0, failed = 0 }, Count)
  local pool <close> = new_pool { workers = workers, attempts = TRIES, max_message = 1 << 30 }
  local trap <close> = ipc.signal_trap("INT", "TERM")
  local bar <close> = TERMINAL and ipc.timer(0.1, function() count:draw_bar(#names) end)
  local counting = ipc.task(count.run, count, pool, names)
  local first, result, problem = ipc.select { counted = counting, signal = trap }
  if first == "signal" then
    pool:close() -- ends the workers; what they have not finished is not counted
    counting:join()
  elseif not result then
    error(problem, 0)
  end
  if bar then
    bar:stop() -- or it is drawn once more while the words are sorted
    count:draw_bar(#names)
    io.stderr:write("\n")
  end
  count:report(all, #names, first == "signal")
  return first == "signal" and 128 + result.number or count.failed == 0
end
os.exit(main { ... }, true)
