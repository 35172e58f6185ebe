-- SPDX-License-Identifier: MIT
-- Children that run another program: how it is found, what it is given, how it ends. Its descriptors are in
-- program_stdio_spec.lua.

local ipc = require "ipc"
local rounds = require "spec.support.rounds"
local shell = require "spec.support.shell"

local host = os.getenv("IPCLUA") or "build/ipclua"
local SANITIZED = os.getenv("IPC_SANITIZE")
local ENOENT, ENOEXEC, EACCES, ENOTDIR, E2BIG = 2, 8, 13, 20, 7

local function lines_of(options)
  options.stdout = "pipe"
  local child <close> = assert(ipc.process(options))
  local lines = {}
  for line in child.stdout:messages() do lines[#lines + 1] = line end
  return lines, child:wait()
end

local own_pid = shell.pid()

-- Zombies count: the kernel lists what is not reaped.
local function children()
  return shell.read(("/proc/%d/task/%d/children"):format(own_pid, own_pid))
end

-- It is told to look when we have closed our copies of its descriptors.
local function descriptors()
  local script = ("read go; ls /proc/%d/fd | wc -l"):format(own_pid)
  local child <close> = assert(ipc.process{"sh", "-c", script, stdin = "pipe", stdout = "pipe"})
  child.stdin:close()
  return tonumber(child.stdout:receive(10))
end

local folder

setup(function()
  local pipe = io.popen("mktemp -d /tmp/ipclua-program.XXXXXX")
  folder = pipe:read("l")
  pipe:close()
end)

teardown(function() os.execute("rm -r " .. folder) end)

describe("a program", function()
  it("gets its arguments as they are", function()
    assert.same({"a b", "*", "$HOME", "12", "1.5", "", "'"},
      (lines_of{"printf", "%s\\n", "a b", "*", "$HOME", 12, 1.5, "", "'"}))
  end)

  it("has a process id, and shows its state", function()
    local child <close> = assert(ipc.process{"sh", "-c", "echo $$; read x", stdin = "pipe", stdout = "pipe"})
    assert.equal(tostring(child.pid), child.stdout:receive(10))
    assert.equal(("ipc.Process (pid %d, running)"):format(child.pid), tostring(child))
    assert.is_nil(child.channel)
    assert.is_nil(child.stderr)
    child.stdin:close()
    child:wait()
    assert.equal(("ipc.Process (pid %d, ended)"):format(child.pid), tostring(child))
  end)

  it("is looked for in our PATH, and below its directory if its name has a slash", function()
    shell.write(folder .. "/here", "#!/bin/sh\necho here\n")
    os.execute("chmod 755 " .. folder .. "/here")
    assert.is_nil(ipc.process{"here"})
    assert.is_nil(ipc.process{"here", env = {PATH = folder}})
    assert.same({"here"}, (lines_of{folder .. "/here"}))
    assert.same({"here"}, (lines_of{"./here", cwd = folder}))
  end)

  it("ends as os.execute says", function()
    for _, script in ipairs{"exit 0", "exit 7", "exit 255", "kill -KILL $$", "kill -TERM $$", "kill -USR2 $$"} do
      assert.same({os.execute(script)}, {ipc.process{"sh", "-c", script}:wait()})
    end
  end)

  it("is killed by its handle, and by that only while it is there", function()
    local child = assert(ipc.process{"sleep", 100})
    assert.same({nil, "timeout"}, {child:wait(0)})
    assert.is_true(child:signal("KILL"))
    assert.same({nil, "signal", 9}, {child:wait()})
    assert.same({nil, ("process %d has ended: No such process"):format(child.pid), 3}, {child:signal("KILL")})
  end)

  it("may have ended before anybody waits, and tells it as often as it is asked", function()
    local child = assert(ipc.process{"sh", "-c", "exit 3", stdout = "pipe"})
    assert.same({nil, "closed"}, {child.stdout:receive(10)})
    for _ = 1, 3 do assert.same({nil, "exit", 3}, {child:wait()}) end
  end)

  it("is waited for by several tasks", function()
    local child = assert(ipc.process{"cat", stdin = "pipe"})
    local waiters = {}
    for i = 1, 3 do waiters[i] = ipc.task(child.wait, child) end
    ipc.yield()
    child.stdin:close()
    for i = 1, 3 do assert.same({true, true, "exit", 0}, {waiters[i]:join(10)}) end
  end)

  it("is a case of a select", function()
    local slow <close> = assert(ipc.process{"cat", stdin = "pipe"})
    local quick <close> = assert(ipc.process{"sh", "-c", "exit 4"})
    assert.same({"quick", nil, "exit", 4}, {ipc.select({slow = slow, quick = quick}, 10)})
    assert.same({nil, "timeout"}, {ipc.select({slow = slow}, 0)})
  end)

  it("is asked to end when it is closed, and may say something to that", function()
    local child = assert(ipc.process{"sh", "-c", [[
      trap 'kill $!; echo bye; exit 3' TERM; sleep 100 & echo ready; wait]], stdout = "pipe"})
    assert.equal("ready", child.stdout:receive(10))
    local out = child.stdout
    child:close()
    assert.same({nil, "exit", 3}, {child:wait()})
    assert.error_matches(function() out:receive() end, "channel is closed")
    child:close()
  end)

  it("is killed when it does not listen #slow", function()
    local child = assert(ipc.process{"sh", "-c", "trap '' TERM; echo ready; exec sleep 100", stdout = "pipe"})
    assert.equal("ready", child.stdout:receive(10))
    child:close()
    assert.same({nil, "signal", 9}, {child:wait()})
  end)

  it("is reaped though its handle is gone", function()
    assert(ipc.process{"true"})
    collectgarbage()
    collectgarbage()
    local deadline = ipc.now() + 10
    while children() ~= "" and ipc.now() < deadline do ipc.sleep(0.001) end -- without a handle there is no event
    assert.equal("", children())
  end)
end)

describe("a program that cannot be started", function()
  it("is named, with its directory, and leaves nothing behind", function()
    shell.write(folder .. "/plain", "")
    shell.write(folder .. "/text", "neither a program nor a script\n")
    os.execute("chmod 755 " .. folder .. "/text")
    local long = ("x"):rep(1 << 20)
    local cases = {
      {{"no-such-program"}, "cannot start 'no-such-program': No such file or directory", ENOENT},
      {{""}, "cannot start '': No such file or directory", ENOENT},
      {{folder .. "/plain"}, "cannot start '" .. folder .. "/plain': Permission denied", EACCES},
      {{folder .. "/text"}, "cannot start '" .. folder .. "/text': Exec format error", ENOEXEC},
      {{"true", cwd = folder .. "/no"},
        "cannot start 'true' in '" .. folder .. "/no': No such file or directory", ENOENT},
      {{"true", cwd = folder .. "/plain"}, "cannot start 'true' in '" .. folder .. "/plain': Not a directory", ENOTDIR},
      {{"true", long}, "cannot start 'true': Argument list too long", E2BIG},
      {{"true", stdin = 1000}, "cannot start 'true': its stdin: Bad file descriptor", 9},
    }
    collectgarbage()
    collectgarbage()
    local before = descriptors()
    for _ = 1, 20 do
      for _, case in ipairs(cases) do
        case[1].stdout, case[1].stderr = "pipe", "pipe"
        assert.same({nil, case[2], case[3]}, {ipc.process(case[1])})
      end
    end
    assert.equal("", children())
    assert.equal(before, descriptors())
  end)

  it("leaves nothing behind when there are no descriptors", function()
    local script = folder .. "/few.lua"
    shell.write(script, [[
      local ipc = require "ipc"
      local first = assert(ipc.process{"true"})
      assert(first:wait())
      local seen, files = {}, {}
      repeat -- none of them is garbage
        local file = io.open("/dev/null")
        files[#files + 1] = file
      until not file
      while #files > 0 do
        table.remove(files):close()
        local child, why, code = ipc.process{"cat", stdin = "pipe", stdout = "pipe", stderr = "null"}
        if child then child:close() break end
        seen[#seen + 1] = code
        local file = assert(io.open("/dev/null"), "a descriptor was lost")
        file:close()
      end
      for _, code in ipairs(seen) do assert(code == 24) end
      local left = io.open("/proc/self/stat"):read("a"):match("^%d+")
      local file = io.open("/proc/self/task/" .. left .. "/children")
      print(#seen >= 4, file:read("a") == "")
    ]])
    local pipe = assert(io.popen(("ulimit -n 40; exec %s %s 2>&1"):format(host, script)))
    assert.equal("true\ttrue\n", pipe:read("a"))
    assert.is_true(pipe:close())
  end)

  it("raises where the table is wrong, and names what is", function()
    local closed = io.tmpfile()
    closed:close()
    local gone = ipc.stream_channel_pair()
    gone:close()
    for message, options in pairs{
      ["unknown option 'stdot'"] = {"true", stdot = "pipe"},
      ["unknown option '0'"] = {[0] = "true", "true"},
      ["the list needs a program"] = {},
      ["the program must be a string or a number, got boolean"] = {true},
      ["argument 1 must be a string or a number, got nil"] = {"echo", nil, "x"},
      ["argument 2 has a zero byte"] = {"echo", "x", "a\0b"},
      ["the program has a zero byte"] = {"echo\0"},
      ["cwd must be a string or a number, got table"] = {"true", cwd = {}},
      ["env must be a table"] = {"true", env = "A=1"},
      ["'A=B' cannot be a name in env"] = {"true", env = {["A=B"] = "1"}},
      ["'' cannot be a name in env"] = {"true", env = {[""] = "1"}},
      ["a name in env has a zero byte"] = {"true", env = {["A\0"] = "1"}},
      ["a name in env must be a string, got number"] = {"true", env = {"A=1"}},
      ["env.A has a zero byte"] = {"true", env = {A = "1\0"}},
      ["env.A must be a string or a number, got boolean"] = {"true", env = {A = true}},
      ["stdin must be \"pipe\", \"null\", a file, a channel or a descriptor"] = {"true", stdin = "stdout"},
      ["stdout must be"] = {"true", stdout = true},
      ["stderr must be"] = {"true", stderr = -1},
      ["stdin is a closed file"] = {"true", stdin = closed},
      ["stdout is a closed channel"] = {"true", stdout = gone},
      ["framing must be"] = {"true", stdin = "pipe", framing = "lines"},
      ["codec must be"] = {"true", stdin = "pipe", codec = "yaml"},
    } do
      assert.error_matches(function() ipc.process(options) end, message, 1, true)
    end
    assert.error_matches(function() ipc.process("true") end, "function or table expected, got string")
    assert.equal("", children())
  end)
end)

describe("the environment of a program", function()
  it("is ours, or the one that is given", function()
    local ours = lines_of{"env"}
    assert.same(ours, (lines_of{"env", env = false}))
    assert.same({}, (lines_of{"env", env = {}}))
    local given = lines_of{"env", env = {A = "1", B_C = "x=y\tz", D = 2}}
    table.sort(given)
    assert.same({"A=1", "B_C=x=y\tz", "D=2"}, given)
    assert.same(ours, (lines_of{"env"}))
  end)

  it("has many names", function()
    local env, expected = {}, {}
    for i = 1, 2000 do
      env["NAME_" .. i] = "value of " .. i
      expected[i] = ("NAME_%d=value of %d"):format(i, i)
    end
    local got = lines_of{"env", env = env}
    table.sort(got)
    table.sort(expected)
    assert.same(expected, got)
  end)

  it("has the directory that is given", function()
    assert.same({folder}, (lines_of{"pwd", cwd = folder}))
    assert.same({"/"}, (lines_of{"pwd", cwd = "/"}))
  end)
end)

describe("the signals of a program", function()
  local NOTHING = ("0"):rep(16)

  -- what the program `grep` has blocked, ignored and pending
  local function state(lines)
    local found = {}
    for _, line in ipairs(lines) do
      local name, bits = line:match("^Sig(%a+):%s+(%x+)$")
      if name then found[name] = bits end
    end
    return found
  end

  it("are at their defaults and not blocked, whatever ours are", function()
    local ignored, trap <close> = ipc.signal("INT"), ipc.signal_trap("TERM", "USR1", "RTMIN+3")
    local timer = ipc.timer(3600, function() end)
    ignored:ignore()
    finally(function()
      ignored:default()
      timer:close()
    end)
    local got = state((lines_of{"grep", "Sig", "/proc/self/status"}))
    assert.equal(NOTHING, got.Blk)
    assert.equal(NOTHING, got.Ign)
    assert.is_false(trap:trapped())
  end)

  it("are so under a parent that was started with all of them blocked", function()
    local script = folder .. "/blocked.lua"
    shell.write(script, [[
      local ipc = require "ipc"
      local child = assert(ipc.process{"grep", "Sig", "/proc/self/status"})
      assert(child:wait())
    ]])
    local function under(python)
      return state((lines_of{"/usr/bin/python3", "-c", "import os, signal, sys\n" .. python
        .. "\nos.execv(sys.argv[1], sys.argv[1:])", host, script}))
    end
    local got = under("signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())")
    assert.equal(NOTHING, got.Blk)
    assert.equal(NOTHING, got.Ign)
    -- nohup: what the terminal's signals do to it is for our starter to say; the others are not inherited
    got = under("for s in (1, 2, 3, 10, 13, 15): signal.signal(s, signal.SIG_IGN)")
    assert.equal("0000000000000007", got.Ign)
  end)

  it("come from the terminal as ours do: it stays in our process group", function()
    local function group(stat) return stat:match("%) %a %d+ (%d+ %d+)") end
    local lines = lines_of{"cat", "/proc/self/stat"}
    assert.equal(group(shell.read("/proc/" .. own_pid .. "/stat")), group(lines[1]))
  end)

  it("do not matter to wait, unless SIGCHLD is ignored: then it says so", function()
    local script = folder .. "/ignored.lua"
    shell.write(script, [[
      local ipc = require "ipc"
      local signal = ipc.signal("CHLD")
      signal:ignore()
      local function check(child, ok, why, code)
        local expected = "process " .. child.pid .. " has ended, but how is not known"
        assert(ok == nil and code == 10 and why:find(expected, 1, true), why)
        assert(select(3, child:signal("TERM")) == 3)
        child:close()
      end
      local children = {}
      for i = 1, 50 do children[i] = assert(ipc.process{"true"}) end
      for i = 51, 60 do children[i] = assert(ipc.process(function() end)) end
      for _, child in ipairs(children) do check(child, child:wait(10)) end
      local slow = assert(ipc.process{"cat", stdin = "pipe"})
      assert(select(2, slow:wait(0.01)) == "timeout")
      slow.stdin:close()
      check(slow, slow:wait(10))
      assert(ipc.process{"no-such-program"} == nil)
      signal:default()
      print(ipc.process{"sh", "-c", "exit 5"}:wait())
    ]])
    local pipe = assert(io.popen(host .. " " .. script .. " 2>&1"))
    assert.equal("nil\texit\t5\n", pipe:read("a"))
    assert.is_true(pipe:close())
  end)
end)

describe("many programs", function()
  it("leave no zombie and no descriptor, and each is told of its own end #slow", function()
    local total, at_once = rounds(SANITIZED and 400 or 2000), 200
    collectgarbage()
    collectgarbage()
    local before = descriptors()
    local waiting, wrong = ipc.signal_trap("USR1", "TERM"), {}
    finally(function() waiting:close() end)
    local function start(i) -- one of ten is killed, one of ten ends by itself while a signal is sent to it
      local child = i % 5 > 0 and assert(ipc.process{i % 5 == 1 and "false" or "true"})
        or assert(ipc.process{"sleep", i % 10 == 0 and 100 or 0})
      if i % 10 == 0 then assert(child:signal("KILL")) end
      if i % 10 == 5 then child:signal("CONT") end
      return child
    end
    local function check(i, _, how, code)
      local expected = i % 10 == 0 and "signal 9" or i % 5 == 1 and "exit 1" or "exit 0"
      if how .. " " .. code ~= expected then wrong[#wrong + 1] = ("%d: %s %d"):format(i, how, code) end
    end
    ipc.scope(function(scope)
      for lane = 1, at_once do
        scope:task(function()
          for i = lane, total, at_once do
            local child = start(i)
            check(i, child:wait(60))
            if child:signal("KILL") then wrong[#wrong + 1] = i .. ": signalled after its end" end
          end
        end)
      end
    end)
    assert.same({}, wrong)
    assert.equal("", children())
    collectgarbage()
    collectgarbage()
    assert.is_true(descriptors() <= before)
    assert.is_false(waiting:trapped())
  end)
end)

describe("a program, seen from a forked child", function()
  it("is its parent's: it cannot be waited for there, nor does that child hold its pipes", function()
    local cat <close> = assert(ipc.process{"cat", stdin = "pipe", stdout = "pipe"})
    local child <close> = assert(ipc.process(function(channel)
      local _, why = pcall(cat.wait, cat)
      local closed = not pcall(cat.stdin.send, cat.stdin, "x")
      cat:close()
      channel:send{why = why, closed = closed, shown = tostring(cat)}
      channel:receive()
    end))
    local got = child.channel:receive(10)
    assert.matches("is a child of another process", got.why)
    assert.is_true(got.closed)
    assert.equal(("ipc.Process (pid %d, of another process)"):format(cat.pid), got.shown)
    cat.stdin:send("still here")
    cat.stdin:close()
    assert.equal("still here", cat.stdout:receive(10))
    assert.same({true, "exit", 0}, {cat:wait(10)})
  end)
end)
