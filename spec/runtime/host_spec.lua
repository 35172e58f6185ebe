-- SPDX-License-Identifier: MIT
-- The host is lua(1) for a program that knows nothing of ipc: every command line of the table below is run by
-- lua5.4 and by ipclua, under the same name, and both must say the same and end the same. Then what only
-- ipclua does: waiting at the end, Ctrl-C, tasks that fail, the prompt.
-- The program under test is $IPCLUA, by default build/ipclua; the prompt gets its terminal from script(1).

local shell = require "spec.support.shell"

local program = os.getenv("IPCLUA") or "build/ipclua"
local dir -- both programs under the name "lua", and the scripts

local function write(name, text)
  shell.write(dir .. "/" .. name, text)
end

local function quote(text)
  return "'" .. text:gsub("'", [['\'']]) .. "'"
end

-- A command for the shell, in which `lua` is lua5.4 or ipclua.
local function with(which, command)
  return ("cd %s; unset LUA_INIT LUA_INIT_5_4; PATH=%s/%s:$PATH; export PATH; %s"):format(dir, dir, which, command)
end

-- Runs a command line; returns standard output, standard error and the exit status.
local function run(which, command)
  local _, how, code = os.execute(("exec timeout 20 env --default-signal=INT sh -c %s >%s/out 2>%s/err </dev/null")
    :format(quote(with(which, command)), dir, dir))
  return shell.read(dir .. "/out"), shell.read(dir .. "/err"), how .. " " .. code
end

local function ipclua(command)
  return run("ipclua", command)
end

-- What differs from one run to the next, or has to differ between the two programs.
local function plain(text)
  return (text:gsub("0x%x+", "ADDRESS"):gsub("ipclua [%d.]+  Lua 5%.4", "Lua 5.4"))
end

local scripts = {
  ["args.lua"] = [[
for i = -9, 9 do if arg[i] then print(i, arg[i]) end end
print(select("#", ...), ...)]],
  ["hash.lua"] = "#!/usr/bin/env lua\nprint('hash', debug.getinfo(1, 'l').currentline)",
  ["runs.lua"] = "#!/usr/bin/env lua\nprint('executable', ...)",
  ["bad.lua"] = "local x = = 2",
  ["deep.lua"] = [[
local function g() error("deep") end
local function f() g() end
f()]],
  ["mod.lua"] = "print('mod', ...) return {name = 'mod'}",
  ["nothing.lua"] = "print('nothing')",
  ["broken.lua"] = "error('broken on load')",
  ["init.lua"] = "print('init', arg and arg[0], ...)",
  ["close.lua"] = [[
local x <close> = setmetatable({}, {__close = function(_, e) print("closed", e) end})
error("below")]],
  ["final.lua"] = [[
x = setmetatable({}, {__gc = function() print("collected") end})
print(collectgarbage("count") > 0)]],
  ["-odd.lua"] = "print('odd', ...)",
}

local same = {
  -- options
  "lua -v", "lua -v -v", "lua -v -e 'print(1)'", "lua -v args.lua a", "lua -E -v",
  "lua -e 'print(1)'", "lua -e'print(1)'", "lua -e 'x = 5' -e 'print(x)'", "lua -e ''", "lua -e", "lua -e -v",
  "lua -e 'print(...)' args.lua a", "lua -e 'print(arg[0], #arg, arg[-1])'", "lua -e 'x = = 2'",
  "lua -e 'error(1)' args.lua",
  "lua -x", "lua -vx", "lua -ix", "lua -Ex", "lua -Wx", "lua --version", "lua -ve 'print(1)'", "lua -h",
  "lua -l", "lua -l -v",
  "lua -l mod -e 'print(mod.name)'", "lua -lmod -e 'print(mod.name)'", "lua -l g=mod -e 'print(g.name, mod)'",
  "lua -lg=mod -e 'print(g.name)'", "lua -l nothing -e 'print(nothing)'", "lua -l broken -e 'print(1)'",
  "lua -l absent -e 'print(1)' 2>&1 | head -n 4", "lua -l string -e 'print(string == _G.string)'",
  "lua -l =mod -e 'print(_G[\"\"].name)'", "lua -l g= 2>&1 | head -n 3",
  "lua -W -e 'warn(\"one\", \" two\")'", "lua -e 'warn(\"lost\")'",
  "lua -e 'warn(\"@on\") warn(\"x\") warn(\"@off\") warn(\"y\")'",
  "lua -W -e 'setmetatable({}, {__gc = function() error(\"in gc\") end}) collectgarbage()'",
  "lua -e 'warn(1)' -W -e 'warn(2)'", "lua -W -E -e 'warn(\"@off\") warn(1)'", "lua -e 'warn()'",
  -- scripts and their arguments
  "lua args.lua", "lua args.lua a 'b c' ''", "lua -W -E args.lua a", "lua -e 'x = 1' args.lua -v",
  "lua -- args.lua a",
  "lua -- -odd.lua 1", "lua hash.lua", "./runs.lua 1 2", "lua absent.lua", "lua absent.lua 1", "lua bad.lua",
  "lua .", "lua ''",
  "lua --", "lua -- -", "lua -e 'arg = 5' args.lua", "lua -e 'arg = {1, 2, n = 3}' args.lua",
  "lua args.lua $(seq 300)", "lua -i -E args.lua a </dev/null",
  -- standard input
  "echo 'print(1, ...)' | lua", "echo 'print(1, ...)' | lua -", "echo 'print(...)' | lua - a b",
  "cat args.lua | lua - a b",
  "cat args.lua | lua", "printf '#!x\\nprint(2)' | lua -", "echo 'print(1' | lua",
  "echo 'error(\"in\")' | lua - x",
  "echo 'print(io.read())\nfirst line' | lua -", "echo input | lua -e 'print(io.read())'",
  "echo 'print(1)' | lua -v",
  "echo 'print(1)' | lua -W", "echo 'print(1)' | lua -E", "lua </dev/null", "lua - </dev/null",
  "lua args.lua </dev/full",
  "lua -e 'print(io.stdin:read(\"a\"))' <args.lua",
  -- errors
  "lua deep.lua", "lua close.lua", "lua -e 'error()'", "lua -e 'error(nil)'", "lua -e 'error({})'",
  "lua -e 'error(true)'",
  "lua -e 'error(2.5)'", "lua -e 'error(\"plain\", 0)'",
  "lua -e 'error(setmetatable({}, {__tostring = function() return \"T!\" end}))'",
  "lua -e 'error(setmetatable({}, {__tostring = function() return 1 end}))'",
  "lua -e 'error(setmetatable({}, {__tostring = function() error(\"x\") end}))'",
  "lua -e 'error(setmetatable({}, {__name = \"Named\"}))'",
  "lua -e 'local function f() return f() + 1 end f()' 2>&1 | head -n 3",
  "lua -e 'string.rep(\"x\", -1)()'", "lua -e 'coroutine.wrap(function() error(\"in co\") end)()'",
  "lua -e 'coroutine.wrap(function() error({}) end)()'", "lua -e 'print(pcall(error))'",
  "lua -e 'table.sort({3, 2, 1}, error)'",
  "lua -e 'print(coroutine.resume(coroutine.create(function(...) return coroutine.yield(...) end), 1, 2))'",
  "lua -e 'print(coroutine.resume(coroutine.running()))'", "lua -e 'coroutine.yield()'",
  "lua -e 'local c = coroutine.wrap(function() end) c() c()'", "lua -e 'coroutine.resume(1)'",
  "lua -e 'coroutine.wrap(1)'",
  "lua -e 'print(xpcall(error, debug.traceback, \"e\"))'", "lua -e 'print(debug.traceback(\"m\", 1))'",
  "lua -e 'c = coroutine.create(function() error(\"x\") end) print(coroutine.resume(c)) print(debug.traceback(c))'",
  "lua -e 'print(debug.gethook())'", "lua -e 'print(coroutine.running())'",
  "lua -e 'print(coroutine.isyieldable())'",
  "lua -e 'print(coroutine.wrap(function() return (debug.traceback(\"m\")) end)())'",
  "lua -e 'f = coroutine.wrap(function() coroutine.yield(coroutine.running()) end) print(debug.traceback(f()))'",
  "lua -e 'print(coroutine.wrap(function() return debug.getinfo(1), debug.getinfo(2) end)()) error(\"x\")'",
  "lua -e 'n = 0 function f() n = n + 1 coroutine.wrap(f)() end print(pcall(f)) print(n)'",
  "lua -e 'n = 0 function f() n = n + 1 assert(coroutine.resume(coroutine.create(f))) end print(pcall(f)) print(n)'",
  -- ends
  "lua -e 'os.exit()'", "lua -e 'os.exit(true)'", "lua -e 'os.exit(false)'", "lua -e 'os.exit(7)'",
  "lua -e 'os.exit(256 + 3)'",
  "lua -e 'io.write(\"unflushed\") os.exit(0)'", "lua -e 'io.write(\"unflushed\") os.exit(0, true)'",
  "lua final.lua",
  "lua -e 'dofile(\"final.lua\") os.exit(3, true)'", "lua -e 'dofile(\"final.lua\") os.exit(3)'",
  "lua -e 'local x <close> = setmetatable({}, {__close = print}) os.exit(4, true)' | sed 's/table:.*//'",
  "lua -e 'return 5'", "lua -e 'io.popen(\"kill -TERM $PPID\"):read(\"a\") io.read()'",
  "lua -e 'print(1)' >/dev/full",
  "lua -e 'coroutine.wrap(function() os.exit(9) end)()'",
  "lua -e 'coroutine.wrap(function() os.exit(9, true) end)()'",
  -- the environment
  "LUA_INIT='print(\"init\", ...)' lua args.lua a", "LUA_INIT=@init.lua lua args.lua a",
  "LUA_INIT=@init.lua lua -E args.lua",
  "LUA_INIT='print(1)' LUA_INIT_5_4='print(2)' lua -e 'print(3)'", "LUA_INIT='error(1)' lua -e 'print(3)'",
  "LUA_INIT='x = = 1' lua -e 'print(3)'", "LUA_INIT=@absent.lua lua -e 'print(3)'",
  "LUA_INIT= lua -e 'print(3)'",
  "LUA_INIT_5_4='error({})' lua -e 'print(3)'", "LUA_INIT='print(1)' lua -v", "LUA_INIT='print(1)' lua -x",
  "LUA_PATH='/x/?.lua' lua -e 'print(package.path)'", "LUA_PATH_5_4='/y/?;;' lua -e 'print(package.path)'",
  "LUA_PATH='/x/?.lua' lua -E -e 'print(package.path)'", "lua -e 'print(package.path, package.cpath)'",
  "LUA_CPATH='/x/?.so' lua -E -e 'print(package.cpath)'", "lua -e 'print(package.config)'",
  -- what a program finds
  "lua -e 'local t = {} for k in pairs(_G) do t[#t + 1] = k end table.sort(t) print(table.concat(t, \" \"))'",
  "lua -e 't = {} for k in pairs(package.loaded) do t[#t + 1] = k end table.sort(t) print(table.concat(t, \" \"))'",
  "lua -e 'print(collectgarbage(\"incremental\"))'", "lua -e 'print(collectgarbage(\"generational\"))'",
  "lua -e 'print(_VERSION, math.maxinteger, string.pack(\"j\", 1):byte(1, -1))'",
  "lua -e 'print(debug.getinfo(1, \"S\").source, debug.getinfo(1, \"S\").what)'",
}

-- The prompt without a terminal: the lines and, at times, the command. lua5.4 echoes what it reads.
local prompts = {
  {"1 + 1\n=2, 3\n"}, {"for i = 1, 2 do\nprint(i)\nend\n"}, {"= 1 +\n2\n"}, {"error('x')\n1\n"},
  {"x = = 2\n1\n"}, {"1"},
  {"print = 3\n4\n"}, {"local a = 1\nreturn a, 5\n"}, {"_PROMPT = 'p: ' _PROMPT2 = 'c: '\ndo\nend\n"},
  {"warn('x')\n"},
  {"_PROMPT = setmetatable({}, {__tostring = function() return 'T ' end})\n1\n"}, {"print(arg[0], x)\n",
  "lua -i -e 'x = 5'"},
  {"x\n", "lua -i -e 'error(1)'"}, {"x\n", "lua -i bad.lua"}, {"os.exit(6)\n"}, {"error({})\nerror()\n"},
  {"[[x\ny]]\n"},
  {"1\n", "lua -i -W args.lua a"}, {"-- c\n1;\n"}, {"print(select('#', nil, nil))\nnil, nil\n"},
  {"x = 1 return x\n"},
  {"error(setmetatable({}, {__tostring = function() return 'T!' end}))\n"}, {"==1\n"}, {"return 1, 2\n"},
  {"goto x\n"},
}

-- Takes the echo of the lines away.
local function without_echo(text, input)
  local from = 1
  for line in input:gmatch("[^\n]+") do
    local first, last = text:find(line .. "\n", from, true)
    if first then
      text = text:sub(1, first - 1) .. text:sub(last + 1)
      from = first
    end
  end
  return text
end

-- A program that runs while the spec looks on. Its output is read as it comes.
local Running = {}
Running.__index = Running

-- Starts a command for `lua`; its standard error goes where its standard output goes.
local function start(command, input)
  local self = setmetatable({text = ""}, Running)
  local line = ("echo $$; exec timeout --foreground 20 env --default-signal=INT sh -c %s <%s 2>&1")
    :format(quote(with("ipclua", "echo $$; exec " .. command)), input or "/dev/null")
  self.pipe = assert(io.popen(line))
  return self
end

function Running:await(pattern)
  while not self.text:find(pattern) do
    local c = self.pipe:read(1)
    if not c then error(("no %q in %q"):format(pattern, self.text), 2) end
    self.text = self.text .. c
  end
  local _, last, capture = self.text:find(pattern)
  self.text = self.text:sub(last + 1)
  return capture
end

-- The rest of the output, and how it ended.
function Running:finish()
  local text = self.text .. self.pipe:read("a")
  local _, how, code = self.pipe:close()
  return text, how .. " " .. code
end

local function kill(signal, pid)
  assert(os.execute(("kill -%s %s"):format(signal, pid)))
end

-- Starts code in ipclua; returns it and its pid once it has said "ready".
local function ready(code)
  write("running.lua", "io.stdout:setvbuf('no')\n" .. code)
  local running = start("lua running.lua")
  running:await("^%d+\n")
  local pid = running:await("^(%d+)\n")
  running:await("ready\n")
  return running, pid
end

local guard = [[
local guard <close> = setmetatable({}, {__close = function() print("closed") end})
]]

describe("the host", function()
  setup(function()
    local pipe = assert(io.popen([[d=$(mktemp -d); mkdir $d/lua5.4 $d/ipclua
      ln -s $(command -v lua5.4) $d/lua5.4/lua; ln -s $(readlink -f ]] .. program .. [[) $d/ipclua/lua; echo $d]]))
    dir = pipe:read("l")
    pipe:close()
    for name, text in pairs(scripts) do write(name, text) end
    os.execute("chmod +x " .. dir .. "/runs.lua")
  end)

  teardown(function()
    os.execute("rm -r " .. dir)
  end)

  describe("does what lua5.4 does:", function()
    for _, command in ipairs(same) do
      it(command:gsub("\n", "\\n"), function()
        local out, err, status = run("lua5.4", command)
        local out2, err2, status2 = run("ipclua", command)
        assert.equal(plain(out), plain(out2))
        assert.equal(plain(err), plain(err2))
        assert.equal(status, status2)
      end)
    end
  end)

  describe("has the prompt of lua5.4:", function()
    for _, case in ipairs(prompts) do
      local input, command = case[1], case[2] or "lua -i"
      it(command .. " with " .. input:gsub("\n", "; "), function()
        write("lines", input)
        local out, err, status = run("lua5.4", command .. " <lines")
        local out2, err2, status2 = run("ipclua", "cat lines | " .. command)
        assert.equal(without_echo(plain(out), input), plain(out2))
        assert.equal(plain(err), plain(err2))
        assert.equal(status, status2)
        assert.same({out2, err2, status2}, {run("ipclua", command .. " <lines")})
      end)
    end
  end)

  it("says what is missing when the input ends in the middle of a statement", function()
    local out, err, status = ipclua("printf 'for' | lua -i")
    assert.matches("> >> > \n$", out)
    assert.same({"stdin:1: <name> expected near <eof>\n", "exit 0"}, {err, status})
  end)

  it("names itself in its version line", function()
    assert.matches("^ipclua %d+%.%d+%.%d+  Lua 5%.4%.%d+  Copyright", (ipclua("lua -v")))
  end)

  it("has ipc built in, and opens it only when asked", function()
    local out = ipclua([[lua -e 'print(package.loaded.ipc) print(require("ipc")._VERSION:match("^%a+"))']])
    assert.equal("nil\nipc\n", out)
  end)

  it("waits for what is left when the main chunk has ended", function()
    write("left.lua", [[local ipc = require "ipc"
      local task = ipc.task(function() ipc.sleep(0.01) print("task") end)
      ipc.after(0.02, function() task:join() print("timer") end)
      print("end")]])
    local out, err, status = ipclua("lua left.lua")
    assert.same({"end\ntask\ntimer\n", "", "exit 0"}, {out, err, status})
  end)

  it("reports a task that failed, and ends with status 1", function()
    local out, err, status = ipclua([[lua -e 'require("ipc").task(function() error("in task") end) print("end")']])
    assert.equal("end\n", out)
    assert.matches("in task", err, 1, true)
    assert.matches("stack traceback:", err, 1, true)
    assert.equal("exit 1", status)
  end)

  it("unwinds the tasks that are left after an error, and after os.exit with close", function()
    local code = [[lua -e 'local ipc = require "ipc"
      ipc.task(function()
        local x <close> = setmetatable({}, {__close = function() print("unwound") end})
        ipc.sleep(100)
      end)
      ipc.yield() %s']]
    local out, err, status = ipclua(code:format("error('main')"))
    assert.equal("unwound\n", out)
    assert.matches("main", err, 1, true)
    assert.equal("exit 1", status)
    out, err, status = ipclua(code:format("os.exit(5, true)"))
    assert.equal("", err)
    assert.equal("unwound\n", out)
    assert.equal("exit 5", status)
  end)

  describe("on Ctrl-C", function()
    local cases = {
      ["in busy code #busy"] = guard .. "print('ready') while true do end",
      ["in a wait"] = guard .. "local ipc = require 'ipc' print('ready') ipc.sleep(100)",
      ["in busy code with ipc loaded #busy"] = guard .. "require 'ipc' print('ready') while true do end",
    }
    for name, code in pairs(cases) do
      it("closes what is pending and ends with 130 " .. name, function()
        local running, pid = ready(code)
        kill("INT", pid)
        local text, status = running:finish()
        assert.matches("^closed\nlua: .*interrupted!?\nstack traceback:\n", text)
        assert.equal("exit 130", status)
      end)
    end

    it("unwinds the tasks it waits for at the end", function()
      local running, pid = ready [[local ipc = require "ipc"
        ipc.task(function()
          local x <close> = setmetatable({}, {__close = function() print("unwound") end})
          print("ready")
          ipc.sleep(100)
        end)]]
      kill("INT", pid)
      local text, status = running:finish()
      assert.matches("interrupted", text, 1, true)
      assert.matches("unwound\n", text, 1, true)
      assert.equal("exit 130", status)
    end)

    it("raises an error like others, which can be caught", function()
      local running, pid = ready [[
        local ipc = require "ipc"
        print(pcall(function() print("ready") ipc.sleep(100) end))
        os.exit(3, true)]]
      kill("INT", pid)
      local text, status = running:finish()
      assert.matches("^false\t.*interrupted!?\n$", text)
      assert.equal("exit 3", status)
    end)

    it("kills when it is pressed again #busy", function()
      local running, pid = ready [[
        pcall(function() print("ready") while true do end end)
        print("caught")
        while true do end]]
      kill("INT", pid)
      running:await("caught\n")
      kill("INT", pid)
      local _, status = running:finish()
      assert.matches(" 130$", status:gsub("signal 2", "exit 130"))
    end)

    it("goes on when it was started with the signal ignored", function()
      local out, _, status = ipclua([[trap '' INT; lua -e 'io.popen("kill -INT $PPID"):close() print("on")']])
      assert.same({"on\n", "exit 0"}, {out, status})
    end)
  end)

  describe("at the prompt on a terminal", function()
    local input

    -- ipclua on a terminal of its own; returns it and a function that types. `after`: more for its shell, which
    -- otherwise makes room for ipclua: Ctrl-C goes to every process there, and sh(1) would end by it.
    local function prompt(after)
      local fifo = dir .. "/keys"
      os.execute("rm -f " .. fifo .. "; mkfifo " .. fifo)
      local running = start(("env TERM=xterm HOME=%s script -qefc %s /dev/null")
        :format(dir, quote("stty rows 24 cols 80; " .. (after and "lua -E " .. after or "exec lua -E"))), fifo)
      input = assert(io.open(fifo, "w"))
      input:setvbuf("no")
      running:await("Lua 5%.4.-> ")
      return running, function(text) assert(input:write(text)) end
    end

    local function finish(running)
      input:close()
      return running:finish()
    end

    it("evaluates, and ends with Ctrl-D", function()
      local running, type = prompt()
      type("6 * 7\r")
      running:await("\n42\r?\n")
      type("for i = 1, 2 do\r")
      running:await(">> ")
      type("print('got', i) end\r")
      running:await("got\t?%s*2\r?\n")
      type("\4")
      local _, status = finish(running)
      assert.equal("exit 0", status)
    end)

    it("edits the line, and recalls the last one", function()
      local running, type = prompt()
      type("123 + 1\127" .. "2\r")
      running:await("\n125\r?\n")
      running:await("> ")
      type("\27[A\r")
      running:await("\n125\r?\n")
      type("\4")
      finish(running)
      assert.matches("123", shell.read(dir .. "/.ipclua_history"), 1, true)
    end)

    it("lets tasks and timers go on, and waits in the foreground, too", function()
      local running, type = prompt()
      type("ipc = require 'ipc' n = 0\r")
      type("t = ipc.timer(0.01, function(t) n = n + 1 if n == 5 then t:stop() print('tick' .. 5) end end)\r")
      running:await("tick5")
      type("ipc.sleep(0.01) print('sl' .. 'ept')\r")
      running:await("slept")
      type("\4")
      local _, status = finish(running)
      assert.equal("exit 0", status)
    end)

    it("drops the line on Ctrl-C and goes on", function()
      local running, type = prompt()
      type("this is not Lua")
      running:await("not Lua")
      type("\3")
      running:await("> ")
      type("'go' .. 'on'\r")
      running:await("\ngoon\r?\n")
      type("\4")
      local _, status = finish(running)
      assert.equal("exit 0", status)
    end)

    it("interrupts running code on Ctrl-C and comes back, as often as one likes #busy", function()
      local running, type = prompt()
      for _ = 1, 2 do
        type("print('bu' .. 'sy') while true do end\r")
        running:await("busy")
        type("\3")
        running:await("interrupted")
        running:await("> ")
      end
      type("print('sl' .. 'eep') require('ipc').sleep(100)\r")
      running:await("sleep\r?\n")
      type("\3")
      running:await("interrupted")
      running:await("> ")
      type("'still' .. 'here'\r")
      running:await("\nstillhere\r?\n")
      type("\4")
      finish(running)
    end)

    it("leaves the terminal as it was, however it ends", function()
      for _, last in ipairs {"\4", "os.exit(0)\r", "require('ipc').after(0.01, function() os.exit(0) end)\r",
          "require('ipc').after(0.01, function() io.popen('kill -TERM $PPID'):close() end)\r"} do
        local running, type = prompt("; stty -a | tr ' ' '\\n' | grep -x -e -echo -e -icanon; echo 'at ''end' #")
        type(last)
        local before = running:await("^(.-)at end")
        assert.falsy(before:find("\n%-echo\r?\n"), last)
        assert.falsy(before:find("\n%-icanon\r?\n"), last)
        finish(running)
      end
    end)
  end)
end)
