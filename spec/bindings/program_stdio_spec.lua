-- SPDX-License-Identifier: MIT
-- What becomes the descriptors 0, 1 and 2 of a program, and talking to programs in other languages through them.

local ipc = require "ipc"
local shell = require "spec.support.shell"

local host = os.getenv("IPCLUA") or "build/ipclua"
local python = "/usr/bin/python3"
local SANITIZED = os.getenv("IPC_SANITIZE")

local function all(channel)
  local lines = {}
  for line in channel:messages() do lines[#lines + 1] = line end
  return lines
end

local folder

setup(function()
  local pipe = io.popen("mktemp -d /tmp/ipclua-stdio.XXXXXX")
  folder = pipe:read("l")
  pipe:close()
end)

teardown(function() os.execute("rm -r " .. folder) end)

-- Runs a script in a host of its own, with the shell's redirections.
local function run(script, redirections)
  return os.execute(("%s %s %s"):format(host, shell.write(folder .. "/script.lua", script), redirections))
end

describe("a pipe of a program", function()
  it("carries lines, and its end when it is closed", function()
    local child <close> = assert(ipc.process{"sort", "-u", stdin = "pipe", stdout = "pipe"})
    for _, word in ipairs{"pear", "fig", "pear", ""} do assert(child.stdin:send(word)) end
    child.stdin:close()
    assert.same({"", "fig", "pear"}, all(child.stdout))
    assert.same({true, "exit", 0}, {child:wait()})
  end)

  it("ends with shutdown, too", function()
    local child <close> = assert(ipc.process{"wc", "-l", stdin = "pipe", stdout = "pipe"})
    for _ = 1, 3 do child.stdin:send("x") end
    assert.is_true(child.stdin:shutdown())
    assert.same({"3"}, all(child.stdout))
  end)

  it("gives a last line without its newline", function()
    local child <close> = assert(ipc.process{"printf", "one\\n\\ntwo", stdout = "pipe"})
    assert.same({"one", "", "two"}, all(child.stdout))
  end)

  it("keeps standard output and standard error apart, or puts them together", function()
    local script = "echo out; echo err >&2; echo out again"
    local apart <close> = assert(ipc.process{"sh", "-c", script, stdout = "pipe", stderr = "pipe"})
    assert.same({"out", "out again"}, all(apart.stdout))
    assert.same({"err"}, all(apart.stderr))
    local one <close> = assert(ipc.process{"sh", "-c", script, stdout = "pipe", stderr = "stdout"})
    assert.is_nil(one.stderr)
    assert.same({"out", "err", "out again"}, all(one.stdout))
  end)

  it("goes one way", function()
    local child <close> = assert(ipc.process{"cat", stdin = "pipe", stdout = "pipe"})
    assert.matches("the other way", select(2, child.stdin:receive(1)))
    assert.matches("the other way", select(2, child.stdout:send("x", 1)))
  end)

  it("makes a sender wait for a program that does not read, until it has gone", function()
    local child <close> = assert(ipc.process{"sleep", 100, stdin = "pipe"})
    local line, sent = ("x"):rep(999), 0
    repeat
      local ok = child.stdin:send(line, 0)
      sent = sent + 1
    until not ok or sent == 10000
    assert.is_true(sent < 10000)
    local sender = ipc.task(function()
      repeat local ok = child.stdin:send(line) until not ok
      return select(2, child.stdin:send(line))
    end)
    ipc.yield()
    assert.equal("waiting", sender:status())
    child:signal("KILL")
    assert.same({true, "closed"}, {sender:join(10)})
  end)

  it("gives what was written before the program was killed", function()
    local child <close> = assert(ipc.process{"sh", "-c", "echo a; echo b; printf c; kill -KILL $$", stdout = "pipe"})
    assert.same({nil, "signal", 9}, {child:wait(10)})
    assert.same({"a", "b", "c"}, all(child.stdout))
  end)

  it("carries five megabytes in and out at once, through two tasks", function()
    local count = SANITIZED and 5000 or 50000
    local child <close> = assert(ipc.process{"sort", "-n", stdin = "pipe", stdout = "pipe"})
    local cat <close> = assert(ipc.process{"cat", stdin = "pipe", stdout = "pipe"}) -- answers while it is fed
    local padding = ("."):rep(92)
    local function feed(to)
      for i = count, 1, -1 do assert(to:send(("%07d %s"):format(i, padding))) end
      to:close()
    end
    local feeders = {ipc.task(feed, child.stdin), ipc.task(feed, cat.stdin)}
    local last = count
    for line in cat.stdout:messages() do
      assert(tonumber(line:sub(1, 7)) == last)
      last = last - 1
    end
    assert.equal(0, last)
    for line in child.stdout:messages() do
      last = last + 1
      assert(#line == 100 and tonumber(line:sub(1, 7)) == last)
    end
    assert.equal(count, last)
    for _, feeder in ipairs(feeders) do assert.is_true(feeder:join(10)) end
    assert.is_true(child:wait(10))
  end)

  it("says when a line is too long, and takes another limit", function()
    local child <close> = assert(ipc.process{"printf", ("x"):rep(2000) .. "\\n", stdout = "pipe", max_message = 1000})
    local line, why, code = child.stdout:receive(10)
    assert.is_nil(line)
    assert.equal(90, code)
    assert.matches("over this channel's limit of 1000 bytes", why)
  end)
end)

describe("a program in another language", function()
  it("may be a shell's loop", function()
    local child <close> = assert(ipc.process{"sh", "-c", [[while read -r a b; do echo "$b $a"; done; echo end]],
      stdin = "pipe", stdout = "pipe"})
    for i = 1, 100 do
      assert(child.stdin:send(i .. " times"))
      assert.equal("times " .. i, child.stdout:receive(10))
    end
    child.stdin:close()
    assert.same({"end"}, all(child.stdout))
  end)

  local echo = [[
import json, sys
for line in sys.stdin:
    value = json.loads(line)
    print(json.dumps({"got": value, "type": type(value).__name__}), flush=True)
]]
  local values = {42, 0.1, math.maxinteger, "two\nlines\0ä", {1, 2, {x = true}}, false, 2^60}

  local function exchange(to, from)
    for _, value in ipairs(values) do
      assert(to:send(value))
      local answer = from:receive(20)
      assert.same(value, answer.got)
      if math.type(value) == "integer" then assert.equal("int", answer.type) end
    end
  end

  it("may be Python with JSON in lines, over pipes", function()
    local child <close> = assert(ipc.process{python, "-c", echo, stdin = "pipe", stdout = "pipe", codec = "json"})
    exchange(child.stdin, child.stdout)
    child.stdin:close()
    assert.is_true(child:wait(10))
  end)

  it("may be Python with JSON in lines, over one channel for both ways", function()
    local ours, theirs = ipc.stream_channel_pair{framing = "line"}
    local child <close> = assert(ipc.process{python, "-c", echo, stdin = theirs, stdout = theirs})
    theirs:close()
    exchange(ours, ours)
    assert.is_true(ours:shutdown())
    assert.is_true(child:wait(10))
    assert.same({nil, "closed"}, {ours:receive(10)})
  end)

  it("may use frames with a length", function()
    local child <close> = assert(ipc.process{python, "-c", [[
import struct, sys
i, o = sys.stdin.buffer, sys.stdout.buffer
while (head := i.read(4)):
    text = i.read(struct.unpack(">I", head)[0])
    o.write(struct.pack(">I", len(text)) + text[::-1])
    o.flush()
]], stdin = "pipe", stdout = "pipe", framing = "length"})
    for _, text in ipairs{"abc", "", "a\nb\n", ("xy"):rep(50000)} do
      local sender = ipc.task(function() return child.stdin:send(text) end)
      assert.is_true(text:reverse() == child.stdout:receive(10))
      assert.same({true, true}, {sender:join()})
    end
  end)
end)

describe("the descriptors of a program", function()
  it("are three and no more, whatever we have open", function()
    local files = {}
    for i = 1, 20 do files[i] = assert(io.open("/dev/null")) end -- Lua's are not CLOEXEC
    local other <close> = assert(ipc.process{"cat", stdin = "pipe", stdout = "pipe"})
    local child <close> = assert(ipc.process{"ls", "/proc/self/fd", stdin = "pipe", stdout = "pipe", stderr = "pipe"})
    assert.same({"0", "1", "2", "3"}, all(child.stdout)) -- 3 is the folder that ls reads
    for _, file in ipairs(files) do file:close() end
    other.stdin:close()
    assert.is_true(other:wait(10))
  end)

  it("may be nothing", function()
    local child <close> = assert(ipc.process{"sh", "-c", "cat; echo out; echo err >&2; l=$(readlink /proc/$$/fd/[012]);"
      .. 'echo "$l" >' .. folder .. "/links", stdin = "null", stdout = "null", stderr = "null"})
    assert.is_true(child:wait(10))
    assert.equal(("/dev/null\n"):rep(3), shell.read(folder .. "/links"))
  end)

  it("may be files: what was written to one comes before, what was read of one is not read again", function()
    local input = assert(io.open(shell.write(folder .. "/in", "one\ntwo\nthree\n")))
    local output = assert(io.open(folder .. "/out", "w"))
    assert.equal("one", input:read("l"))
    output:write("first\n")
    local child <close> = assert(ipc.process{"cat", stdin = input, stdout = output})
    assert.is_true(child:wait(10))
    output:write("last\n")
    output:close()
    input:close()
    assert.equal("first\ntwo\nthree\nlast\n", shell.read(folder .. "/out"))
  end)

  it("may be a number, which stays open here", function()
    local a, b = ipc.stream_channel_pair{codec = "raw", framing = "line"}
    for _ = 1, 2 do
      local child <close> = assert(ipc.process{"echo", "by number", stdout = b:fileno()})
      assert.is_true(child:wait(10))
      assert.equal("by number", a:receive(10))
    end
  end)

  it("make a pipeline of programs", function()
    local first <close> = assert(ipc.process{"printf", "b\\na\\nb\\n", stdout = "pipe"})
    local second <close> = assert(ipc.process{"sort", stdin = first.stdout, stdout = "pipe"})
    first.stdout:close()
    local third <close> = assert(ipc.process{"uniq", "-c", stdin = second.stdout, stdout = "pipe"})
    second.stdout:close()
    assert.same({"      1 a", "      2 b"}, all(third.stdout))
  end)

  it("wait when they are read, though our channels do not, and ours go on not waiting", function()
    local function flags(lines)
      return tonumber(table.concat(lines, "\n"):match("flags:%s+(%d+)"), 8) & tonumber("4000", 8)
    end
    local piped <close> = assert(ipc.process{"cat", "/proc/self/fdinfo/0", stdin = "pipe", stdout = "pipe"})
    assert.equal(0, flags(all(piped.stdout)))
    local feeder <close> = assert(ipc.process{"sleep", 100, stdout = "pipe"})
    local lent <close> = assert(ipc.process{"cat", "/proc/self/fdinfo/0", stdin = feeder.stdout, stdout = "pipe"})
    assert.equal(0, flags(all(lent.stdout)))
    local ours = ("/proc/self/fdinfo/%d"):format(feeder.stdout:fileno())
    assert.not_equal(0, flags{shell.read(ours)})
    local _, b = ipc.stream_channel_pair()
    local socket <close> = assert(ipc.process{"cat", "/proc/self/fdinfo/0", stdin = b, stdout = "pipe"})
    assert.equal(0, flags(all(socket.stdout)))
    assert.same({nil, "timeout"}, {b:receive(0)})
  end)

  it("are refused where a message would be lost", function()
    local a, b = ipc.stream_channel_pair{codec = "raw", framing = "line"}
    a:send("one")
    a:send("two")
    assert.equal("one", b:receive(1))
    assert.error_matches(function() ipc.process{"cat", stdin = b} end, "stdin is a channel with messages")
    assert.equal("two", b:receive(1))
    local child <close> = assert(ipc.process{"cat", stdin = b, stdout = b})
    a:send("three")
    assert.equal("three", a:receive(10))
    child:signal("TERM")
    assert.same({nil, "signal", 15}, {child:wait(10)})
  end)

  it("may be ours crosswise", function()
    assert.is_true(run([[
      local ipc = require "ipc"
      print "before"
      local child = assert(ipc.process{"sh", "-c", "echo out; echo err >&2", stdout = 2, stderr = 1})
      assert(child:wait())
    ]], (">%s/1 2>%s/2"):format(folder, folder)))
    assert.equal("before\nerr\n", shell.read(folder .. "/1"))
    assert.equal("out\n", shell.read(folder .. "/2"))
    assert.is_true(run([[
      local ipc = require "ipc"
      assert(ipc.process{"sh", "-c", "cat; echo err >&2; echo 0 >&0", stdin = io.stderr, stdout = io.stdin,
        stderr = io.stdout}:wait())
    ]], ("<>%s/0 >%s/1 2<>%s/2"):format(folder, folder, shell.write(folder .. "/2", "two\n"):match("(.*)/"))))
    assert.equal("two\n", shell.read(folder .. "/0"))
    assert.equal("err\n", shell.read(folder .. "/1"))
    assert.equal("two\n0\n", shell.read(folder .. "/2"))
  end)

  it("are what they should be where ours are closed", function()
    assert.is_true(run(([[
      local ipc = require "ipc"
      local report = {}
      for round = 1, 2 do -- in the first, pipes get the numbers 0 to 2
        local child = assert(ipc.process{"sh", "-c", "read x; echo out $x; echo err $x >&2; ls /proc/self/fd >&2",
          stdin = "pipe", stdout = "pipe", stderr = "pipe"})
        child.stdin:send(tostring(round))
        for line in child.stdout:messages() do report[#report + 1] = line end
        for line in child.stderr:messages() do report[#report + 1] = line end
        report[#report + 1] = select(2, child:wait())
        child:close()
      end
      local child = assert(ipc.process{"ls", "/proc/self/fd", stdout = "pipe"})
      report[#report + 1] = child.stdout:receive() -- 0 is the folder, as ls has no standard input
      local file = assert(io.open("%s/report", "w"))
      file:write(table.concat(report, " "))
      file:close()
    ]]):format(folder), "<&- >&- 2>&-"))
    assert.equal("out 1 err 1 0 1 2 3 exit out 2 err 2 0 1 2 3 exit 0", shell.read(folder .. "/report"))
  end)

  it("are not taken for each other where one of ours is free again", function()
    assert.is_true(run(([[
      local ipc = require "ipc"
      local first, file = assert(io.open("/dev/null")), assert(io.open("%s"))
      first:close() -- so 0 is free: /dev/null is opened as 0, which is to become the file
      local script = "cat >&2; l=$(readlink /proc/$$/fd/1); echo $l >&2"
      local child = assert(ipc.process{"sh", "-c", script, stdin = file, stdout = "null"})
      assert(child:wait())
    ]]):format(shell.write(folder .. "/in", "the file\n")), ("<&- 2>%s/2"):format(folder)))
    assert.equal("the file\n/dev/null\n", shell.read(folder .. "/2"))
  end)
end)
