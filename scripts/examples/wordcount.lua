-- SPDX-License-Identifier: MIT
-- Counts the words of files on as many processes as there are CPUs:
--
--     ipclua wordcount.lua [-j workers] [--all] [file...]
--
-- Without files it reads the texts in /usr/share/common-licenses. A word is a run of the letters
-- A to Z, in lower case. Each worker is a forked process at the far end of a channel: it receives
-- file names and sends counts. A worker that dies is replaced and its file counted again; Ctrl-C
-- stops the workers, prints what was finished and exits with status 130.

local ipc = require "ipc"

local TEXTS <const> = "/usr/share/common-licenses"
local BLOCK <const> = 1 << 20 -- a file is read and reported by the mebibyte, however large it is
local TRIES <const> = 3       -- workers one file may take down before it is given up

-- The worker --------------------------------------------------------------------------------------

-- Sends { words =, bytes = } for every block of a file; returns what stopped it, if anything did.
local function count_file(channel, name)
  local file <close>, cannot_open = io.open(name, "rb")
  if not file then return cannot_open end
  local rest = ""
  repeat
    local block, cannot_read = file:read(BLOCK)
    if cannot_read then return name .. ": " .. cannot_read end
    -- A word may go on in the next block: it waits in `rest`. A blank ends the file's last word.
    local text = rest .. (block or " ")
    local whole, start = text:match("^(.*%A)(%a*)$")
    rest = start or text
    local words = {}
    for word in (whole or ""):lower():gmatch("%a+") do words[word] = (words[word] or 0) + 1 end
    local sent, cannot_send = channel:send { words = words, bytes = block and #block or 0 }
    if not sent then return name .. ": " .. cannot_send end
  until not block
end

local function worker(channel)
  ipc.signal("INT"):ignore() -- Ctrl-C reaches the whole group; the main program ends its workers
  for name in channel:messages() do
    channel:send { done = true, failure = count_file(channel, name) }
  end
end

-- The main program --------------------------------------------------------------------------------

local queue, finished, failed = {}, 0, 0       -- jobs { name =, tries = }, and how many were settled
local total, words_seen, bytes_read = {}, 0, 0 -- counts by word, of finished files only

local function complain(text, ...)
  io.stderr:write("wordcount: ", text:format(...), "\n")
end

local function add(words)
  for word, n in pairs(words) do
    total[word] = (total[word] or 0) + n
    words_seen = words_seen + n
  end
end

-- Has a worker count one file. True when the file is settled, nil when the worker died over it.
local function settle(child, job)
  local parts = {}
  child.channel:send(job.name)
  for reply in child.channel:messages() do
    if reply.failure then
      failed = failed + 1
      complain("%s", reply.failure)
      return true
    elseif reply.done then
      for _, words in ipairs(parts) do add(words) end
      finished = finished + 1
      return true
    end
    parts[#parts + 1] = reply.words
    bytes_read = bytes_read + reply.bytes
  end
end

-- One of these runs per worker: it hands out files until none is left, and replaces a dead worker.
local function supervise()
  while #queue > 0 do
    local child <close> = ipc.process(worker)
    local job
    repeat job = table.remove(queue, 1) until not job or not settle(child, job)
    if job then
      local _, how, code = child:wait()
      job.tries = job.tries + 1
      local again = job.tries < TRIES
      complain("%s: its worker died (%s %d), %s", job.name, how, code,
        again and "counting it again" or "given up")
      if again then table.insert(queue, 1, job) else failed = failed + 1 end
    end
  end
end

local function draw_bar(files)
  local width, done = 40, finished + failed
  local full = width * done // math.max(files, 1)
  io.stderr:write(("\r\27[K[%s%s] %d of %d files, %.1f MiB"):format(("#"):rep(full),
    ("-"):rep(width - full), done, files, bytes_read / 2^20))
end

local function report(all, files, partial)
  local words = {}
  for word in pairs(total) do words[#words + 1] = word end
  table.sort(words, function(a, b)
    if not all and total[a] ~= total[b] then return total[a] > total[b] end
    return a < b
  end)
  for i = 1, all and #words or math.min(10, #words) do
    print(("%7d %s"):format(total[words[i]], words[i])) -- as uniq -c prints them
  end
  local out = all and io.stderr or io.stdout
  out:write(("%d of %d files, %d words, %d different%s\n"):format(finished, files, words_seen,
    #words, partial and " (partial: interrupted)" or ""))
end

local function main(args)
  local names, workers, all = {}, nil, false
  while #args > 0 do
    local word = table.remove(args, 1)
    if word == "-j" then workers = tonumber(table.remove(args, 1))
    elseif word == "--all" then all = true
    else names[#names + 1] = word end
  end
  if #names == 0 then
    for name in io.popen("find " .. TEXTS .. " -type f"):lines() do names[#names + 1] = name end
  end
  workers = math.min(workers or tonumber(io.popen("nproc"):read("l")) or 1, #names)
  for _, name in ipairs(names) do queue[#queue + 1] = { name = name, tries = 0 } end

  local trap <close> = ipc.signal_trap("INT", "TERM")
  local bar <close> = os.execute("test -t 2") and ipc.timer(0.1, function() draw_bar(#names) end)
  local counting = ipc.task(ipc.scope, function(scope)
    for _ = 1, math.max(1, workers) do scope:task(supervise) end
  end)
  local first, result, problem = ipc.select { counted = counting, signal = trap }
  if first == "signal" then
    counting:cancel() -- every supervisor unwinds, and closes its worker on the way
    counting:join()
  elseif not result then
    error(problem, 0)
  end
  if bar then draw_bar(#names) io.stderr:write("\n") end
  report(all, #names, first == "signal")
  return first == "signal" and 128 + result.number or failed == 0
end
os.exit(main { ... }, true)
