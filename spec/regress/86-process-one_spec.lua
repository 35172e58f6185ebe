-- SPDX-License-Identifier: MIT
-- As process 1 of a container the host did not reap processes that had lost their parent: they stayed as zombies, each
-- with its place in the table of processes. It has the program as its child now, and reaps whatever comes; what
-- is sent to process 1 goes to the program, and how that ends is how process 1 ends.

local ipc = require "ipc"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local host = os.getenv("IPCLUA") or "build/ipclua"
local container = "unshare -pf --mount-proc "

describe("the host as process 1", function()
  if not os.execute(container .. "true 2>/dev/null") then return pending("this may not make a pid namespace") end

  -- What it prints, and how it ended.
  local function run(code)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write("local ipc = require 'ipc' ", code)
    file:close()
    local pipe = assert(io.popen(("%s %s %s 2>&1"):format(container, host, path)))
    local text = pipe:read("a")
    local status = table.pack(pipe:close())
    os.remove(path)
    return text, status[3]
  end

  local COUNT <const> = [[
    local function zombies()
      local n, list <close> = 0, io.popen "cat /proc/[0-9]*/stat 2>/dev/null"
      for entry in list:lines() do n = n + (entry:match "%) (%a)" == "Z" and 1 or 0) end
      return n
    end
    local function orphans(n, own) -- how many zombies are left; `own`: that are the program's
      for _ = 1, n do
        local child = ipc.process{"sh", "-c", "(read line; exit 3) & exit 0", stdin = "pipe"}
        child:wait()
        child.stdin:close()
      end
      local deadline, left = ipc.now() + 20, nil
      repeat -- the last of them may not have ended yet: what counts is that those before are gone
        ipc.yield()
        left = zombies()
      until left <= own or ipc.now() >= deadline
      return left
    end
  ]]

  it("reaps what it has adopted, whether its program waits or computes", function()
    assert.equal("0\n0\n", (run(COUNT .. [[
      print(orphans(20, 0))
      ipc.process{"sh", "-c", "(exit 0) & (exit 1) & (exit 2) & sleep 0.01"}:wait()
      local deadline = os.time() + 20
      repeat until zombies() == 0 or os.time() > deadline
      print(zombies())]])))
  end)

  it("leaves its program's own children to that", function()
    local expected = "nil exit 5\nnil exit 4\nnil exit 6\nnil signal 9\nnil exit 7\n"
    assert.equal(expected, (run(COUNT .. [[
      local function say(...) print(table.concat({"nil", select(2, ...)}, " ")) end
      local popen = io.popen "exit 5"
      local child, killed = ipc.process{"sh", "-c", "exit 6"}, ipc.process{"sh", "-c", "kill -9 $$"}
      local forked = ipc.process(function() os.exit(7) end)
      assert(orphans(3, 1) <= 1) -- of popen, once that has ended
      say(popen:close())
      say(os.execute "exit 4")
      say(child:wait())
      say(killed:wait())
      say(forked:wait())]])))
  end)

  it("ends as its program does", function()
    assert.equal(0, select(2, run ""))
    assert.equal(7, select(2, run "os.exit(7)"))
    assert.equal(1, select(2, run "error 'x'"))
    assert.equal(128 + 9, select(2, run "ipc.signal 'KILL':dispatch(ipc.pid()) ipc.sleep(20)"))
    assert.equal(3, select(2, run "ipc.process{'sleep', '1000'} os.exit(3)")) -- a process that is left goes with it
  end)

  it("hands on what is sent to it", function()
    assert.equal("TERM\nUSR1\t77\ntrue\n", (run [[
      local term, usr = ipc.signal_trap "TERM", ipc.signal "USR1"
      ipc.task(function()
        local info = usr:wait(20)
        print(info.name, info.value)
      end)
      ipc.yield()
      ipc.process{"kill", "-TERM", "1"}
      print((term:wait(20) or {}).name)
      ipc.signal "USR1":dispatch(1, 77)
      ipc.run()
      print(ipc.pid() ~= 1)]]))
    assert.equal(128 + 15, select(2, run "ipc.process{'kill', '-TERM', '1'} ipc.sleep(20)"))
  end)

  it("has its program interrupted once by the terminal's Ctrl-C", function()
    if not os.execute("command -v script >/dev/null") then return pending("there is no script(1)") end
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local file = assert(io.open(path, "w"))
    file:write("print(select(2, pcall(function() print 'ready' while true do end end))) ",
      "print(select(2, pcall(function() for i = 1, 1e7 do end return 'once' end))) os.exit(9)")
    file:close()
    local command = ("exec %s %s %s"):format(container, host, path)
    local child <close> = assert(ipc.process{"script", "-qefc", command, "/dev/null", stdin = "pipe", stdout = "pipe"})
    local function await(text)
      repeat local line = assert(child.stdout:receive(PATIENCE)) until line:find(text)
    end
    await "ready"
    child.stdin:send("\3")
    await "interrupted"
    await "once"
    assert.same({nil, "exit", 9}, {child:wait(PATIENCE)})
  end)
end)
