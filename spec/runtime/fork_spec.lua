-- SPDX-License-Identifier: MIT
-- What a fork leaves alone and what it takes along: the child runs its function and nothing else, wherever the fork was
-- made; the parent's tasks, timers and channels do not notice. How children end, and what others see of a kill -9.

local ipc = require "ipc"
local homes = require "spec.support.homes"

local SANITIZED <const> = os.getenv("IPC_SANITIZE")
local PATIENCE <const> = 20

-- A child that does a bit of everything, and says so.
local function all_sorts(channel, n)
  local ticks, timer = 0, ipc.timer(0.0005)
  for _ = 1, 2 do
    timer:wait()
    ticks = ticks + 1
  end
  local task = ipc.task(function()
    ipc.sleep(0.001)
    return n
  end)
  local _, slept = task:join()
  local got = ipc.coroutine.wrap(function()
    ipc.yield()
    return #ipc.tasks()
  end)()
  channel:send{slept, ticks, got}
end

local function check_all_sorts(child, n)
  assert.same({n, 2, 0}, child.channel:receive(PATIENCE))
  assert.same({true, "exit", 0}, {child:wait(PATIENCE)})
  child.channel:close()
end

describe("the parent", function()
  it("goes on as if nothing had been, its tasks, timers and channels, too", function()
    local a, b = ipc.stream_channel_pair()
    local over, rounds, ticks, slept = false, 0, 0, 0
    local interval, start = 0.002, ipc.now()
    local timer = ipc.timer(interval, function(_, missed) ticks = ticks + 1 + missed end)
    local sleepers = {}
    for i = 1, 50 do
      sleepers[i] = ipc.task(function()
        repeat
          ipc.sleep(i / 10000)
          slept = slept + 1
        until over
      end)
    end
    local echo = ipc.task(function()
      for message in b:messages() do b:send(message) end
    end)
    local pinger = ipc.task(function()
      repeat
        rounds = rounds + 1
        a:send(rounds)
        assert(a:receive(PATIENCE) == rounds)
      until over
    end)
    local forker = ipc.task(function()
      local children = {}
      for i = 1, SANITIZED and 5 or 30 do
        children[i] = assert(ipc.process(all_sorts, i))
        local before = rounds + slept
        repeat ipc.yield() until rounds + slept > before
      end
      for i, child in ipairs(children) do check_all_sorts(child, i) end
    end)
    assert.same({true}, {forker:join()})
    over = true
    for i = 1, 50 do assert.same({true}, {sleepers[i]:join(PATIENCE)}) end
    assert.same({true}, {pinger:join(PATIENCE)})
    a:close()
    assert.same({true}, {echo:join(PATIENCE)})
    local due, before = (ipc.now() - start) // interval, ticks
    while ticks == before or ticks < due do ipc.yield() end
    timer:stop()
    assert.is_true(ticks <= (ipc.now() - start) // interval)
    assert.equal(0, #ipc.tasks())
  end)

  it("may fork anywhere: in a generator, a callback, a listener, a close, table.sort", function()
    local children = {}
    local function fork()
      children[#children + 1] = assert(ipc.process(all_sorts, #children + 1))
    end
    local function check(count)
      assert.equal(count, #children)
      for i, child in ipairs(children) do check_all_sorts(child, i) end
      children = {}
    end
    fork()
    ipc.coroutine.wrap(fork)()
    coroutine.wrap(fork)()
    table.sort({2, 1}, function() if #children == 3 then fork() end end)
    do
      local _ <close> = setmetatable({}, {__close = fork})
    end
    pcall(function()
      local _ <close> = setmetatable({}, {__close = fork})
      error("unwinds")
    end)
    check(6)

    local t = ipc.task(function()
      fork()
      ipc.coroutine.wrap(fork)()
      coroutine.wrap(fork)()
      table.sort({2, 1}, function() if #children == 3 then fork() end end)
      local _ <close> = setmetatable({}, {__close = fork})
      ipc.timeout(0.001, function()
        local _ <close> = setmetatable({}, {__close = fork})
        ipc.sleep(PATIENCE)
      end)
    end)
    assert.same({true}, {t:join()})
    check(6)

    local file = assert(io.open("/proc/self/stat"))
    local pid = math.tointeger(file:read("n"))
    file:close()
    local handler <close> = ipc.signal_handler("USR1")
    handler:add(fork)
    ipc.signal("USR1"):dispatch(pid)
    ipc.after(0.001, fork)
    while #children < 2 do ipc.yield() end
    ipc.signal("USR1"):dispatch(pid)
    ipc.after(0, fork)
    local busy = 0
    while #children < 4 do -- these interrupt code that does not wait, except under TSan
      busy = busy + 1
      if busy > 1e7 then ipc.yield() end
    end
    check(4)
  end)

  for _, home in ipairs(homes) do
    it("has what it wrote before the fork written once, in " .. home.name, function()
      local path = os.tmpname()
      local output, status, errors = home.run(([[
        local file = io.open(%q, "w")
        file:setvbuf("full")
        io.stdout:setvbuf("full")
        io.write("once ")
        file:write("once ")
        local children = {}
        for i = 1, 5 do children[i] = ipc.process(function() if i > 3 then os.exit(i %% 2 == 0) end end) end
        for i = 1, 5 do children[i]:wait() end
        ipc.process(function() io.write("child ") end):wait()
        ipc.process(function() io.write("exit ") os.exit() end):wait()
        ipc.process(function() io.write("task ") ipc.task(function() ipc.sleep(0.001) os.exit() end) end):wait()
        io.write("end\n")
        file:close()]]):format(path))
      assert.equal("once child exit task end\n", output, errors)
      assert.equal("exit 0", status)
      local file = assert(io.open(path))
      assert.equal("once ", file:read("a"))
      file:close()
      os.remove(path)
    end)
  end
end)

describe("a child", function()
  it("ends with what os.exit says, from wherever", function()
    local function exit_of(fn) return select(3, ipc.process(fn):wait(PATIENCE)) end
    assert.equal(0, exit_of(function() return 5 end))
    assert.equal(0, exit_of(function() os.exit() end))
    assert.equal(1, exit_of(function() os.exit(false) end))
    assert.equal(7, exit_of(function() os.exit(7) end))
    assert.equal(3, exit_of(function() ipc.coroutine.wrap(os.exit)(256 + 3) end))
    assert.equal(8, exit_of(function()
      ipc.after(0.001, function() os.exit(8) end)
      ipc.sleep(PATIENCE)
    end))
    assert.equal(9, exit_of(function()
      ipc.task(function()
        ipc.yield()
        os.exit(9)
      end)
    end))
    assert.equal(6, exit_of(function()
      ipc.task(function()
        ipc.sleep(0.001)
        os.exit(6, true)
      end)
      ipc.sleep(PATIENCE)
    end))
  end)

  for _, home in ipairs(homes) do
    it("that fails says why, with its traceback, and ends with 1, in " .. home.name, function()
      local output, status, errors = home.run [[
        local function inner() error("in the child") end
        print(ipc.process(function() inner() end):wait())
        print(ipc.process(function() ipc.task(function() error("in its task") end) end):wait())
        print(ipc.process(function() ipc.process(function() error("further down") end):wait() end):wait())
        print(ipc.process(function() error(setmetatable({}, {__tostring = error})) end):wait())]]
      assert.equal("nil\texit\t1\nnil\texit\t1\ntrue\texit\t0\nnil\texit\t1\n", output, errors)
      assert.equal("exit 0", status)
      for _, text in ipairs{"ipc: process script:1: in the child\nstack traceback:\n", "in upvalue 'inner'",
        "ipc: task script:3: in its task\nstack traceback:\n", "ipc: process script:4: further down\n"} do
        local first, last = errors:find(text, 1, true)
        assert(first and not errors:find(text, last, true), errors)
      end
    end)
  end

  it("has children, and they have", function()
    local function tree(channel, depth)
      local sum = 1
      if depth > 0 then
        local children = {}
        for i = 1, 2 do children[i] = assert(ipc.process(tree, depth - 1)) end
        for i = 1, 2 do
          sum = sum + children[i].channel:receive(PATIENCE)
          assert(children[i]:wait(PATIENCE))
        end
      end
      channel:send(sum)
    end
    local root <close> = ipc.process(tree, SANITIZED and 2 or 4)
    assert.equal(SANITIZED and 7 or 31, root.channel:receive(PATIENCE))
    assert.same({true, "exit", 0}, {root:wait(PATIENCE)})
  end)

  it("hands on a channel to its own child, which ends when the last of them has closed", function()
    local ours, theirs = ipc.stream_channel_pair()
    local child <close> = ipc.process(function(channel)
      ours:close()
      local grandchild = ipc.process(function(mine)
        for message in mine:messages() do theirs:send(message .. " by grandchild") end
      end)
      theirs:send("hello")
      for message in channel:messages() do grandchild.channel:send(message .. " by child") end
      grandchild.channel:close()
      grandchild:wait()
    end)
    theirs:close()
    assert.equal("hello", ours:receive(PATIENCE))
    for i = 1, 20 do child.channel:send(i) end
    for i = 1, 20 do assert.equal(i .. " by child by grandchild", ours:receive(PATIENCE)) end
    child.channel:close()
    assert.same({nil, "closed"}, {ours:receive(PATIENCE)})
    assert.same({true, "exit", 0}, {child:wait(PATIENCE)})
  end)

  it("that traps TERM ends in good order when it is closed", function()
    local said, theirs = ipc.stream_channel_pair()
    local child = ipc.process(function(channel)
      local trap <close> = ipc.signal_trap("TERM")
      channel:send("ready")
      theirs:send(trap:wait().name)
      os.exit(5)
    end)
    child.channel:receive(PATIENCE)
    child:close()
    assert.equal("TERM", said:receive(0))
    assert.same({nil, "exit", 5}, {child:wait(0)})
  end)

  it("that ignores TERM is killed after the grace time, while others go on #slow", function()
    local child = ipc.process(function(channel)
      ipc.signal("TERM"):ignore()
      channel:send("ready")
      while true do ipc.sleep(PATIENCE) end
    end)
    child.channel:receive(PATIENCE)
    local turns, closer = 0, ipc.task(child.close, child)
    local start = ipc.now()
    while closer:status() ~= "done" and ipc.now() - start < PATIENCE do
      ipc.sleep(0.1)
      turns = turns + 1
    end
    assert.same({nil, "signal", 9}, {child:wait(0)})
    assert.is_true(turns >= 10 and ipc.now() - start >= 5)
  end)
end)

describe("kill -9", function()
  local function socket()
    return ipc.stream_channel_pair{codec = "raw"}
  end

  local function fifo()
    local path, options = os.tmpname(), {codec = "raw", framing = "line"}
    assert(os.execute(("rm %s; mkfifo %s"):format(path, path)))
    local file = assert(io.open(path, "r+")) -- opens without waiting for the other end
    local input, output = assert(io.open(path, "r")), assert(io.open(path, "w"))
    local reader, writer = assert(ipc.stream_channel(input, options)), assert(ipc.stream_channel(output, options))
    for _, open in ipairs{file, input, output} do open:close() end -- a channel has a descriptor of its own
    os.remove(path)
    return reader, writer
  end

  it("in the middle of a message leaves no more of it than a file would, and all that was before", function()
    for _, ends in ipairs{socket, fifo} do
      local reader, writer = ends()
      local child = ipc.process(function(channel)
        reader:close()
        writer:send("whole")
        local sender = ipc.task(function() writer:send(("x"):rep(4000000)) end)
        while sender:status() ~= "waiting" do ipc.yield() end -- as much as the system holds is out
        channel:send("half is sent")
        sender:join()
      end)
      writer:close()
      assert.equal("half is sent", child.channel:receive(PATIENCE))
      child:signal("KILL")
      assert.same({nil, "signal", 9}, {child:wait(PATIENCE)})
      assert.equal("whole", reader:receive(PATIENCE))
      local rest, why = reader:receive(PATIENCE)
      if ends == fifo then -- a last line needs no newline, as for io.lines
        assert.is_true(rest and #rest < 4000000)
        rest, why = reader:receive(PATIENCE)
      end
      assert.is_true(rest == nil and why == "closed")
      reader:close()
    end
  end)

  it("of a child is seen by a sender and by a wait for it", function()
    local child = ipc.process(function(channel)
      channel:send("ready")
      ipc.sleep(PATIENCE)
    end)
    assert.equal("ready", child.channel:receive(PATIENCE))
    local sender = ipc.task(function() return child.channel:send(("x"):rep(4000000)) end)
    local receiver = ipc.task(function() return child.channel:receive() end)
    local waiter = ipc.task(function() return child:wait() end)
    while sender:status() ~= "waiting" do ipc.yield() end
    child:signal("KILL")
    assert.same({true, nil, "closed"}, {sender:join(PATIENCE)})
    assert.same({true, nil, "closed"}, {receiver:join(PATIENCE)})
    assert.same({true, nil, "signal", 9}, {waiter:join(PATIENCE)})
  end)

  it("of a program ends its children's waits, in any depth", function()
    local program = ipc.process(function(channel)
      ipc.process(function(mine)
        ipc.process(function(own)
          channel:send("ready")
          channel:send(select(2, own:receive()))
        end)
        mine:receive() -- and ends, and so its child's channel does
      end)
      ipc.sleep(PATIENCE)
    end)
    assert.equal("ready", program.channel:receive(PATIENCE))
    program:signal("KILL")
    assert.equal("closed", program.channel:receive(PATIENCE))
    assert.same({nil, "closed"}, {program.channel:receive(PATIENCE)})
    assert.same({nil, "signal", 9}, {program:wait(PATIENCE)})
  end)
end)
