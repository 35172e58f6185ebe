-- SPDX-License-Identifier: MIT
-- Signals where the kernel has a say: children that end together, pipes without a reader, processes that are stopped
-- and go on, dispositions that were there before us, the kernel's queue and its limit.

local ipc = require "ipc"
local homes = require "spec.support.homes"

local SANITIZED <const> = os.getenv("IPC_SANITIZE")
local PATIENCE <const> = 20

-- Stops a child and has it go on after so long; what is done meanwhile is done to a process that stands still.
local function stopped(child, seconds, fn)
  assert(child:signal("STOP"))
  if fn then fn() end
  ipc.sleep(seconds) -- the time that passes is what is tried
  assert(child:signal("CONT"))
end

describe("SIGCHLD", function()
  it("is seen at least once when hundreds end at once, and each can still be waited for", function()
    local seen, children, count = 0, {}, SANITIZED and 30 or 200
    local handler <close> = ipc.signal_handler("CHLD")
    handler:add(function(info)
      seen = seen + 1
      assert(info.name == "CHLD" and info.pid)
    end)
    local gate, theirs = ipc.stream_channel_pair()
    for i = 1, count do
      children[i] = assert(ipc.process(function()
        gate:close()
        theirs:receive() -- until everybody closes the gate
        os.exit(i % 256)
      end))
    end
    theirs:close()
    gate:close()
    for i = 1, count do
      local ok, how, code = children[i]:wait(PATIENCE)
      assert.same({i % 256 == 0 or nil, "exit", i % 256}, {ok, how, code})
    end
    local deadline = ipc.now() + PATIENCE
    while seen == 0 and ipc.now() < deadline do ipc.yield() end
    assert.is_true(seen >= 1 and seen <= count)
  end)

  for _, home in ipairs(homes) do
    it("ignored leaves nothing to wait for, and that is said, not waited for, in " .. home.name, function()
      local output, status = home.run([[
        ipc.signal("CHLD"):ignore()
        local child = ipc.process(function() os.exit(3) end)
        print(child:wait(10))]])
      assert.matches("^nil\tprocess %d+ has ended, but how is not known.*: No child processes\t10\n$", output)
      assert.equal("exit 0", status)
    end)
  end
end)

describe("SIGPIPE", function()
  -- what a program that writes until it cannot says of it, and its status
  local function without_reader(command, code, before)
    local pipe = assert(io.popen(("%s { { %s -e '%s'; echo status $? >&2; } | true; } 2>&1"):format(before or "",
      command, code)))
    local text = pipe:read("a")
    pipe:close()
    return text
  end

  local WRITE <const> = [[io.stdout:setvbuf("no")
    local ok, why, number
    repeat ok, why, number = io.write("line\n") until not ok
    io.stderr:write(why, " ", number, "\n")]]

  it("ends a process that writes to a pipe without a reader, as it does in lua5.4", function()
    for _, before in ipairs{"", "trap '' PIPE;", [[trap "" PIPE TERM;]]} do
      local expected = without_reader("lua5.4", WRITE, before)
      assert.matches(before == "" and "^status 141\n$" or "^Broken pipe 32\nstatus 0\n$", expected)
      for _, home in ipairs(homes) do
        assert.equal(expected, without_reader(home.command, WRITE, before))
        assert.equal(expected, without_reader(home.command, "ipc = require [[ipc]] ipc.sleep(0) " .. WRITE, before))
      end
    end
  end)

  for _, home in ipairs(homes) do
    it("does not come of a channel, be it a socket, a pipe or a child that has ended, in " .. home.name, function()
      local output, status, errors = home.run [[
        local a, b = ipc.stream_channel_pair()
        b:close()
        print(a:send("x", 5))
        local pipe = ipc.stream_channel(io.popen("exec true", "w"), {codec = "raw", framing = "line"})
        local ok, why
        repeat ok, why = pipe:send(("x"):rep(1000), 5) until not ok
        print(ok, why)
        local child = ipc.process(function(channel) channel:close() end)
        print(child:wait())
        print(child.channel:send("x", 5))
        local file = io.open("/proc/self/status")
        print(tonumber(file:read("a"):match("SigIgn:%s+(%x+)"), 16) >> 12 & 1)]]
      assert.equal("nil\tclosed\nnil\tclosed\ntrue\texit\t0\nnil\tclosed\n0\n", output, errors)
      assert.equal("exit 0", status)
    end)
  end
end)

describe("a process that is stopped and goes on", function()
  it("counts the ticks that it missed #nosan", function()
    local child <close> = ipc.process(function(channel)
      local served, most, interval = 0, 0, 0.005
      local waited, start = ipc.timer(interval), ipc.now()
      local called = ipc.timer(interval, function(_, missed)
        served = served + 1 + missed
        most = math.max(most, missed)
      end)
      channel:send("ready")
      local last, worst = 0, 0
      repeat
        local tick, missed = waited:wait()
        assert(tick == last + missed + 1)
        last, worst = tick, math.max(worst, missed)
      until channel:receive(0)
      called:stop()
      channel:send{last = last, worst = worst, served = served, most = most, due = (ipc.now() - start) // interval}
    end)
    assert.equal("ready", child.channel:receive(PATIENCE))
    stopped(child, 0.15)
    child.channel:send("enough")
    local got = assert(child.channel:receive(PATIENCE))
    assert.is_true(got.worst >= 20 and got.most >= 20, "missed " .. got.worst .. " and " .. got.most)
    assert.is_true(got.last <= got.due and got.served <= got.due)
    assert.is_true(got.served >= 30 and math.abs(got.last - got.served) <= got.due - 25)
  end)

  it("gets a message that came in time, and else its timeout", function()
    local child <close> = ipc.process(function(channel)
      for _ = 1, 2 do
        channel:send("waiting")
        channel:send({channel:receive(0.2)})
      end
    end)
    assert.equal("waiting", child.channel:receive(PATIENCE))
    ipc.sleep(0.01) -- there is no event for being blocked in the kernel
    stopped(child, 0.3, function() child.channel:send("in time") end)
    assert.same({"in time"}, child.channel:receive(PATIENCE))
    assert.equal("waiting", child.channel:receive(PATIENCE))
    stopped(child, 0.3)
    assert.same({ipc.null, "timeout"}, child.channel:receive(PATIENCE))
  end)

  it("is not taken for one that has ended", function()
    local child <close> = ipc.process(function(channel) channel:receive() end)
    stopped(child, 0, function() assert.same({nil, "timeout"}, {child:wait(0.05)}) end)
    child.channel:close()
    assert.same({true, "exit", 0}, {child:wait(PATIENCE)})
  end)
end)

describe("what was there before", function()
  local STATE <const> = [[
    local pid = ipc.pid()
    local function state(number)
      local file = io.open("/proc/self/status")
      local text = file:read("a")
      file:close()
      local function has(field) return tonumber(text:match(field .. ":%s+(%x+)"), 16) >> (number - 1) & 1 == 1 end
      return has("SigCgt") and "caught" or has("SigIgn") and "ignored" or "default"
    end
  ]]

  for _, home in ipairs(homes) do
    it("stays ignored, and is again after a trap, in " .. home.name, function()
      local output, status, errors = home.run(STATE .. [[
        for _, name in ipairs{"HUP", "QUIT", "USR1"} do
          local signal = ipc.signal(name)
          local before = state(signal.number)
          signal:dispatch(pid) -- nothing happens
          local trap = ipc.signal_trap(name)
          local during = state(signal.number)
          signal:dispatch(pid)
          local seen = trap:wait(10).name
          trap:close()
          print(before, during, seen, state(signal.number))
        end
        -- a child keeps what the terminal's user asked for, and nothing else
        local child = ipc.process(function(channel) channel:send{state(1), state(3), state(10)} end)
        print(table.unpack(child.channel:receive(10)))]], "env --ignore-signal=HUP,QUIT,USR1")
      assert.equal("ignored\tcaught\tHUP\tignored\nignored\tcaught\tQUIT\tignored\nignored\tcaught\tUSR1\tignored\n"
        .. "ignored\tignored\tdefault\n", output, errors)
      assert.equal("exit 0", status)
    end)

    it("is not touched by a program that does not ask, in " .. home.name, function()
      local output, _, errors = home.run(STATE .. [[
        ipc.after(0.001, function() end)
        ipc.sleep(0.002)
        ipc.run()
        local found, known = {}, {[2] = "lua's", [7] = "a sanitizer's", [8] = "too", [11] = "too"}
        ]] .. (home.name == "ipclua" and 'known[3] = "the host answers it"' or "") .. [[

        for i = 1, 31 do found[#found + 1] = not known[i] and state(i) ~= "default" and i or nil end
        print(#found, found[1])]], "env --ignore-signal=PIPE")
      assert.equal("1\t13\n", output, errors)
    end)
  end
end)

describe("the kernel's queue of signals", function()
  it("keeps ten thousand for a process that is stopped, in order", function()
    local n = SANITIZED and 1000 or 10000
    local child <close> = ipc.process(function(channel)
      local done, last, seen = nil, {}, 0
      for _, name in ipairs{"RTMIN+1", "RTMIN+2"} do
        ipc.signal_handler(name):add(function(info)
          assert(info.value == (last[name] or 0) + 1, "out of order")
          last[name], seen = info.value, seen + 1
          if seen == 2 * n then done:cancel() end
        end)
      end
      done = ipc.task(ipc.sleep, PATIENCE)
      channel:send("ready")
      done:join()
      channel:send{seen, last["RTMIN+1"], last["RTMIN+2"], ipc.stats().signals_lost}
    end)
    assert.equal("ready", child.channel:receive(PATIENCE))
    stopped(child, 0, function()
      local one, two = ipc.signal("RTMIN+1"), ipc.signal("RTMIN+2")
      for i = 1, n do
        assert(two:dispatch(child.pid, i))
        assert(one:dispatch(child.pid, i))
      end
    end)
    assert.same({2 * n, n, n, 0}, child.channel:receive(PATIENCE))
  end)

  -- The kernel counts for the user, so processes that run beside this one may leave no room at all.
  it("refuses what is over its limit, and loses nothing of what it took", function()
    local output, status, errors = homes[1].run([[
      local child = ipc.process(function(channel)
        local signal = ipc.signal("RTMIN+1")
        signal:wait(0) -- collects from now on
        channel:send("ready")
        local count = channel:receive()
        for i = 1, count do assert(signal:wait(10).value == i) end
        channel:send(signal:wait(0) or "no more")
      end)
      child.channel:receive()
      child:signal("STOP")
      local signal, sent, ok, why, number = ipc.signal("RTMIN+1"), 0, nil, nil, nil
      repeat
        ok, why, number = signal:dispatch(child.pid, sent + 1)
        if ok then sent = sent + 1 end
      until not ok
      child:signal("CONT")
      child.channel:send(sent)
      print(sent <= 5000, (why:gsub("%d+", "N")), number)
      print(child.channel:receive(10))]], "prlimit --sigpending=5000")
    assert.equal("true\tcannot send SIGRTMIN+N to process N: Resource temporarily unavailable\t11\nno more\n",
      output, errors)
    assert.equal("exit 0", status)
  end)
end)
