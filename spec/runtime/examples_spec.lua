-- SPDX-License-Identifier: MIT
-- Runs every program in scripts/examples and reads what it prints. The word count is held against
-- a shell pipeline, and then its workers are killed and its terminal's Ctrl-C is pressed.
-- The program under test is $IPCLUA, by default build/ipclua; the specs run from the tree's root.

local shell = require "spec.support.shell"

local program = os.getenv("IPCLUA") or "build/ipclua"
local PATIENCE <const> = 30 -- seconds after which something that should have happened has not

local function example(name)
  return program .. " scripts/examples/" .. name .. ".lua"
end

local function output_of(command)
  return shell.output("exec 2>&1; " .. command)
end

-- What the word count must print with --all, by the tools of 1973.
local function pipeline(files)
  return (output_of("cat " .. files .. [[ | LC_ALL=C tr -cs 'A-Za-z' '\n' | LC_ALL=C tr A-Z a-z |
    grep -v '^$' | LC_ALL=C sort | LC_ALL=C uniq -c]]))
end

-- Processes ---------------------------------------------------------------------------------------

local started = {} -- leaders of groups

-- Starts a command as the leader of a group of its own. Its standard error goes into a file.
local function start(command, errors)
  local pipe = assert(io.popen(("exec setsid sh -c 'echo $$; exec %s 2>%s'"):format(command, errors)))
  local pid = pipe:read("n", "l")
  started[#started + 1] = pid
  return pipe, pid
end

local function contents(path)
  local file = io.open(path, "r")
  if not file then return nil end
  local text = file:read("a")
  file:close()
  return text
end

-- The state and the parent of a process, or nil when there is no such process.
local function state_of(pid)
  local stat = contents("/proc/" .. pid .. "/stat")
  if not stat then return nil end
  local state, parent = stat:match(".*%) (%a) (%d+)")
  return state, tonumber(parent)
end

local function children_of(parent)
  local found = {}
  for name in output_of("ls /proc"):gmatch("%d+") do
    local state, its_parent = state_of(name)
    if its_parent == parent and state ~= "Z" then found[#found + 1] = tonumber(name) end
  end
  return found
end

local function seconds()
  return tonumber(contents("/proc/uptime"):match("%S+"))
end

-- There is no event for what /proc shows: asks until it is so, and fails when patience has run out.
local function eventually(what, question)
  local deadline = seconds() + PATIENCE
  repeat
    local answer = question()
    if answer then return answer end
  until seconds() > deadline
  error("did not come about: " .. what, 2)
end

-- What a process has open, as ls shows it. A worker has the socket of its channel, which sets it
-- apart from the commands that the program runs.
local function open_files(pid)
  return (output_of("ls -l /proc/" .. pid .. "/fd"))
end

-- A worker of `parent` that has `something` open.
local function worker_with(something, parent, former)
  return eventually("a worker of " .. parent .. " with " .. something, function()
    for _, pid in ipairs(children_of(parent)) do
      local files = open_files(pid)
      if pid ~= former and files:find("socket:", 1, true) and files:find(something, 1, true) then
        return pid
      end
    end
  end)
end

local function kill(signal, target)
  assert(os.execute(("kill -s %s -- %d"):format(signal, target)))
end

----------------------------------------------------------------------------------------------------

describe("the example", function()
  local prints = {
    task = "^bread is here\nmilk is here\nhoney is here\nall of it after 0%.%d%d s\n"
      .. "the snail\tnil\ttimeout\nthe other one tidies up\nfalse\t[^\n]*the cellar is flooded\n$",
    select = "^served\tsoup\nserved\tfish\nserved\tcake\nhung up on\tthe bank\n"
      .. "closing time after 3 dishes\ttick\n$",
    timer = "^tick\t1\ntick\t2\ntick\t3\nafter 0%.%d%d s\nmissed at least three: true\nrang\n$",
    signal = "^odd ones stop here: 1\neven ones arrive: 2\nodd ones stop here: 3\n"
      .. "even ones arrive: 4\nUSR1 came from the child: true\ntrue\texit\t0\n$",
    trap = "^working\nstopped by TERM\t%d+ pieces\ntrue\texit\t0\n$",
    stream_channel = "^bread: 6%.40\nmilk: 11%.00\nnil\ttimeout\nclosed for today\n$",
    multi_stream_channel = "^10\tbid: 1, 2, 3\n20\tbid: 1, 3\n30\tbid: 1\nforgotten for the sleeper:\ttrue\n"
      .. "and it gets the last:\t1000\ttrue\n$",
    chat = "^ann's screen:\tann has come\nann's screen:\tbob has come\nbob's screen:\tbob has come\n"
      .. "ann's screen:\tann: hello, bob\nbob's screen:\tann: hello, bob\nbob's screen:\there: ann, bob\n"
      .. "ann's screen:\tbob has gone\nann's screen:\tthe chat is over\n$",
    pool = "^1\tthree\n2\ta long line\n3\tx\nall seen:\ttrue\ndied over two\tsignal\t9\tonce more\n"
      .. "ONE TWO THREE\nitem 1: .-/no/such/file: No such file or directory\nnothing\n500000500000\n$",
    supervisor = "^started\tstore\nstarted\tweb\nended\tweb\texit\t1\nrestarting\tweb\t0.01\nstarted\tweb\n"
      .. "ended\tweb\texit\t1\nrestarting\tweb\t0.02\nstarted\tweb\nstopping\tweb\nended\tweb\tsignal\t15\n"
      .. "stopping\tstore\nended\tstore\tsignal\t15\nall stopped by TERM\nstore\tstopped\t1\nweb\tstopped\t3\n$",
    process = "^primes below 60000:\t6057\ntrue\texit\t0\nnil\texit\t3\nnil\ttimeout\n"
      .. "nil\tsignal\t9\n$",
    program = "^apple\nfig\npear\ntrue\texit\t0\n2\t4\n3\t9\n4\t16\n20000\tLINE 20000\n1\t2\t3\n"
      .. "green in /\noh\nnil\tcannot start 'no%-such%-program': No such file or directory\t2\n"
      .. "quick\tnil\texit\t3\n$",
    tail = "^1\tone\n2\tone\n1\ttwo\n2\ttwo\n1\tthree\n2\tthree\n"
      .. "1\tfour, in a new file\n2\tfour, in a new file\n$",
    generator = "^1\tone\n2\tby\n3\tone\n$",
    key = "^project\t0\nwaiting:\t1\t0\nwash up: done\t1\nsame file, same key:\ttrue\n"
      .. "another file, same key:\tfalse\n$",
    semaphore = "^6 bakers, never more than two at a time:\ttrue\nfree ovens:\t2\nbaking\t1\n"
      .. "killed\t2\ntrue\ttrue\tnil\ttimeout\n$",
    mutex = "^four times 25 are\t100\nin the middle\theld by it: true\n"
      .. "the holder before died and left\tnil\nrepaired\t100\nand one more is\t101\n$",
    file_lock = "^at work\n  the other says: another one is at work\n  it ended with\t1\n"
      .. "  the other says: at work\n  it ended with\t0\na child is at work\nnil\ttimeout\ntrue\n"
      .. "true\ttrue\nnil\ttimeout\n$",
    queue = "^most urgent:\t3\nwaiting:\t10\ndone:\t1 2 3 4 5 6 7 8\nin order of urgency:\ttrue\n"
      .. "nil\ttimeout\n$",
    jobs = "^1 4 9 16 25 36 49 64\n$",
    mail = "^the same again:\tnil\texists\ndelivered:\tada@near%.example, attempt 1; bob@slow%.example, attempt 3; "
      .. "eve@near%.example, attempt 1\nworkers died:\t3\n"
      .. "cleo@gone%.example hello\tno such host\t3 attempts\t0 deaths\n"
      .. "dan@near%.example poison\tits holder died %(3 times%)\t3 attempts\t3 deaths\n"
      .. "delivered:\tcleo@gone%.example, attempt 1\ndead letters:\t0\n$",
    shared_memory = "^done:\t100\nsum:\t5050\nby all workers together:\t100\ntrue\tfalse\t1\nnil\ttimeout\n"
      .. "false\t.*slot 3 is out of range: shared memory private has 3 slots, from 0 on\n$",
    rate_limiter = "^24 requests of 4 processes, 0 too early\nat 100 in a second they need:\ttrue\n$",
    shared_data = "^board/ann\tgood evening from ann\nboard/bob\tgood evening from bob\n"
      .. "four times 500 are\t2000\nthe purses have\t400\t600\nthe session is over:\tnil\t0\n"
      .. "taken over:\tnil\tchanged\nhanded over:\ttrue\n"
      .. "true\texit\t0\ntrue\texit\t0\n$",
  }

  local BUSY <const> = {timer = true, signal = true, trap = true}
  for name, pattern in pairs(prints) do
    local busy = BUSY[name] and " #busy" or ""
    it(name .. " prints what it says" .. busy, function()
      local text, status = output_of(example(name))
      assert.matches(pattern, text)
      assert.equal("exit 0", status)
    end)
  end

  it("list above is complete", function()
    for name in output_of("ls scripts/examples"):gmatch("(%S+)%.lua") do
      assert.is_true(name == "wordcount" or prints[name] ~= nil, name .. " is not tried")
    end
  end)
end)

describe("the word count", function()
  local folder
  before_each(function()
    folder = output_of("mktemp -d /tmp/ipclua-examples.XXXXXX"):match("%S+")
  end)
  after_each(function() -- what is left of a group has been left by a failure
    for _, pid in ipairs(started) do os.execute("kill -s KILL -- -" .. pid .. " 2>/dev/null") end
    started = {}
    os.execute("rm -r " .. folder)
  end)

  it("counts the texts of the system as a shell pipeline does", function()
    local texts = "$(find /usr/share/common-licenses -type f)"
    assert.equal(pipeline(texts), (output_of(example("wordcount") .. " --all 2>/dev/null")))
  end)

  it("counts the same with one worker and with five", function()
    local one = output_of(example("wordcount") .. " -j 1 --all")
    local five = output_of(example("wordcount") .. " -j 5 --all")
    assert.equal(one, five)
  end)

  it("prints the ten most frequent words and the totals", function()
    local path = shell.write(folder .. "/words", "b B a c d e f g h i j k a b 'tis")
    local text, status = output_of(example("wordcount") .. " " .. path)
    local first = "      3 b\n      2 a\n      1 c\n      1 d\n      1 e\n      1 f\n      1 g\n"
      .. "      1 h\n      1 i\n      1 j\n"
    assert.equal(first .. "1 of 1 files, 15 words, 12 different\n", text)
    assert.equal("exit 0", status)
  end)

  it("puts words together that lie across two blocks", function()
    -- Each word is 7 letters and a blank, shifted by one: no block of a power of two ends on one.
    local path = shell.write(folder .. "/words", " " .. ("kitchen "):rep(3 * (1 << 17)))
    assert.equal(" 393216 kitchen\n", (output_of(example("wordcount") .. " --all " .. path
      .. " 2>/dev/null")))
  end)

  it("reports a file that it cannot read, and counts the others", function()
    local path = shell.write(folder .. "/words", "one two")
    local text, status = output_of(("%s %s/none %s %s"):format(example("wordcount"), folder, path,
      folder))
    assert.matches("wordcount: " .. folder:gsub("%p", "%%%0") .. "/none: No such file", text)
    assert.matches("wordcount: " .. folder:gsub("%p", "%%%0") .. ": Is a directory", text)
    assert.matches("1 of 3 files, 2 words, 2 different\n$", text)
    assert.equal("exit 1", status)
  end)

  it("counts a file again when its worker is killed in the middle of it", function()
    local big = shell.write(folder .. "/big", ("the kettle is on the fire, and the cat is not\n"):rep(3e5))
    local errors = folder .. "/errors"
    local pipe, main = start(example("wordcount") .. " -j 2 --all " .. big .. " /etc/passwd", errors)
    kill("KILL", worker_with(big, main))
    local counted = pipe:read("a")
    assert.same({ true, "exit", 0 }, { pipe:close() })
    assert.matches("big: its worker died %(signal 9%), counting it again", contents(errors))
    assert.equal(pipeline(big .. " /etc/passwd"), counted)
  end)

  it("gives a file up that has taken three workers down", function()
    -- A worker that opens a pipe without a writer stays there until it is killed.
    assert(os.execute("mkfifo " .. folder .. "/trap"))
    local words, errors = shell.write(folder .. "/words", "one two"), folder .. "/errors"
    local pipe, main = start(("%s -j 1 %s/trap %s"):format(example("wordcount"), folder, words),
      errors)
    local former
    for _ = 1, 3 do
      former = worker_with("socket:", main, former)
      kill("KILL", former)
    end
    assert.matches("1 of 2 files, 2 words, 2 different\n$", pipe:read("a"))
    assert.same({ nil, "exit", 1 }, { pipe:close() })
    assert.matches("trap: its worker died %(signal 9%), given up", contents(errors))
  end)

  -- The worker has counted one file and waits for more of the second when the signal comes.
  local function interrupt(target)
    assert(os.execute("mkfifo " .. folder .. "/endless"))
    local words, errors = shell.write(folder .. "/words", "one two two"), folder .. "/errors"
    local pipe, main = start(("%s -j 1 %s %s/endless"):format(example("wordcount"), words, folder),
      errors)
    local endless = assert(io.open(folder .. "/endless", "w")) -- waits until the worker reads
    local worker = worker_with("/endless", main)
    kill("INT", target * main)
    local text = pipe:read("a")
    local result = { pipe:close() }
    endless:close()
    assert.equal("      2 two\n      1 one\n1 of 2 files, 3 words, 2 different "
      .. "(partial: interrupted)\n", text)
    assert.same({ nil, "exit", 130 }, result)
    assert.equal("", contents(errors))
    assert.is_nil(state_of(main))
    assert.is_nil(state_of(worker))
  end

  it("prints what it has when it is interrupted, and leaves no process", function() interrupt(1) end)

  it("does the same when Ctrl-C reaches the whole group", function() interrupt(-1) end)

  it("draws a bar on a terminal only", function()
    assert.not_matches("%[#", (output_of(example("wordcount"))))
    if os.execute("command -v script >/dev/null") then
      local text = output_of("script -qec '" .. example("wordcount") .. "' /dev/null </dev/null")
      assert.matches("%[#+%] 14 of 14 files", (text:gsub("%d+ of %d+", "14 of 14")))
    end
  end)
end)
