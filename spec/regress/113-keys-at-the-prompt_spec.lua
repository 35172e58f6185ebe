-- SPDX-License-Identifier: MIT
-- The prompt dropped whatever is not ASCII: the editor's library takes bytes as the locale says, and there was none. It
-- also read by itself in the middle of a key (half a character, Escape, a search), so that tasks and timers stood still
-- until the next key, and Ctrl-C did nothing. With its terminal hung up, and SIGHUP ignored, it ran for ever.

local ipc = require "ipc"
local peer = require "spec.support.peer"

local host = os.getenv("IPCLUA") or "build/ipclua"
if not host:find("^/") then host = os.getenv("PWD") .. "/" .. host end

describe("the prompt on a terminal", function()
  local home, p

  setup(function()
    home = os.tmpname()
    assert(os.remove(home) and os.execute("mkdir " .. home))
  end)

  teardown(function() os.execute("rm -r " .. home) end)

  after_each(function()
    if p then p:close() end
    p = nil
  end)

  -- `before`: commands of the shell that becomes the host.
  local function start(environment, before)
    local command = ("stty rows 24 cols 80 -echoctl; %s exec %s -E"):format(before or "", host)
    p = peer.run(("sh -c 'echo $$; exec 3>&1 env -u LANG -u LC_CTYPE -u LC_ALL %s TERM=xterm HOME=%s "
      .. "script -qefc \"%s\" /dev/null'"):format(environment or "", home, command))
  end

  local function type(text)
    assert(p.to:write(text))
  end

  -- Hears lines until one matches; returns what it caught.
  local function await(pattern)
    while true do
      local line = assert(p:hear())
      local caught = line:gsub("\r$", ""):match(pattern)
      if caught then return caught end
    end
  end

  -- Not by Ctrl-D: typed before the prompt is there, the terminal would take it for itself.
  local function leave()
    type("os.exit()\r")
    repeat until not p:hear()
  end

  for _, environment in ipairs{"", "LANG=C", "LC_ALL=POSIX", "LC_ALL=xx_YY.UTF-8", "LC_ALL=C.UTF-8"} do
    it(("takes characters of all sizes: '%s'"):format(environment), function()
      start(environment)
      type('print("<" .. #"é日😀" .. ">é日😀")\r')
      await("^<9>é日😀$")
      type('os.setlocale(nil, "all") .. "<"\r')
      assert.equal("C", await("^(.*)<$"))
      leave()
    end)
  end

  local TICKS = "ipc = require 'ipc' t = ipc.timer(0.002, function() io.write('\\r\\ntick\\r\\n') end)\r"

  -- Ticks come while the editor has the terminal.
  local function ticks()
    for _ = 1, 5 do await("^tick") end
  end

  it("erases and steps over them, and remembers them", function()
    start()
    type(TICKS)
    ticks()
    type('print("<aé日\127\127ü\27[D\27[D€\27[C\27[Cß>")\r')
    await("^<€aüß>$")
    type("t:stop()\r")
    leave()
    start()
    type(TICKS)
    ticks()
    type("\27[A\27[A\27[A\27[A\r")
    await("^<€aüß>$")
    leave()
  end)

  it("takes pasted lines of them", function()
    start()
    local lines = {}
    for i = 1, 20 do lines[i] = ('s%d = "é日%d"\n'):format(i, i) end
    type(table.concat(lines) .. 'print("<" .. s1 .. s20)\n')
    await("^<é日1é日20$")
    leave()
  end)

  it("shows that bytes are no characters", function()
    start()
    type('print("<" .. #"\xe9a\xff\xc3" .. ">")\r')
    await("^<10>$")
    leave()
  end)

  describe("in the middle of a key", function()
    local keys = {
      {name = "half a character", begin = "\xc3", rest = ""}, {name = "half a sequence", begin = "\27", rest = ""},
      {name = "a search", begin = "\18", rest = ""},
      -- both Ctrl-C may come while the terminal has them quoted: then they are in the line
      {name = "a key that is quoted", begin = "\22", rest = "\3", last = "\r"},
    }
    for _, key in ipairs(keys) do
      it("lets timers go on, and ends with Ctrl-C: " .. key.name, function()
        start()
        type(TICKS)
        ticks()
        type(key.begin)
        ticks()
        type(key.rest)
        ticks()
        type("\3" .. (key.last or ""))
        ticks()
        type("t:stop() print('<' .. 'on>')\r")
        await("^<on>$")
        leave()
      end)
    end
  end)

  it("ends when the terminal is hung up, also with SIGHUP ignored", function()
    start(nil, "trap - HUP; trap \\\"\\\" HUP;")
    type("1 .. '<'\r")
    await("1<")
    assert(ipc.signal("KILL"):dispatch(p.pid)) -- script, whose terminal it is
    repeat until not p:hear() -- it has our pipe, too
  end)
end)
