-- SPDX-License-Identifier: MIT
-- The example tail.lua as a program of its own: subscribers in other processes, a tail that is killed again and
-- again while lines come, and logs that are rotated. Every subscriber must get every line once, and in order.

local ipc = require "ipc"

local host = os.getenv("IPCLUA") or "build/ipclua"
local PATIENCE <const> = 30

local function children_of(pid)
  local file = assert(io.open(("/proc/%d/task/%d/children"):format(pid, pid)))
  local text = file:read("a")
  file:close()
  return text
end

describe("the example tail", function()
  local folder, log, path, server

  before_each(function()
    local pipe = io.popen("mktemp -d /tmp/ipclua-tail.XXXXXX")
    folder = pipe:read("l")
    pipe:close()
    log, path = folder .. "/log", folder .. "/socket"
    io.open(log, "w"):close()
    server = assert(ipc.process{host, "scripts/examples/tail.lua", log, path, stderr = "pipe"})
  end)

  after_each(function()
    server:close()
    os.execute("rm -r " .. folder)
  end)

  -- Connected, and counted in. There is no event for the server being ready to be connected to.
  local function subscribe()
    local deadline, channel = ipc.now() + PATIENCE
    repeat
      channel = ipc.connect(path, {codec = "raw"})
      if not channel then ipc.sleep(0.005) end
    until channel or ipc.now() > deadline
    assert(channel):send("hello")
    assert.equal("following " .. log, channel:receive(PATIENCE))
    return channel
  end

  local function append(line)
    local file = assert(io.open(log, "a"))
    file:write(line, "\n")
    file:close()
  end

  -- They are read one after the other: none is ahead of the others for long.
  local function expect(subscribers, first, last)
    for i = first, last do
      for _, channel in ipairs(subscribers) do
        assert.equal("line " .. i, channel:receive(PATIENCE))
      end
    end
  end

  local function write(first, last)
    for i = first, last do append("line " .. i) end
  end

  it("gives each line to each subscriber, also to those that come later", function()
    local subscribers = {subscribe(), subscribe()}
    write(1, 20)
    expect(subscribers, 1, 20)
    subscribers[3] = subscribe()
    write(21, 40)
    expect(subscribers, 21, 40)
    table.remove(subscribers, 1):close()
    write(41, 60)
    expect(subscribers, 41, 60)
  end)

  it("goes on when its tail is killed, and when the log is rotated", function()
    local subscribers = {subscribe(), subscribe(), subscribe()}
    local last = 0
    for round = 1, 4 do
      write(last + 1, last + 10)
      if round % 2 == 0 then expect(subscribers, last + 1, last + 10) end -- else some are on their way
      local tail = tonumber(children_of(server.pid):match("%d+"))
      if tail then os.execute("kill -s KILL " .. tail) end
      write(last + 11, last + 15)
      if round % 2 == 0 then
        expect(subscribers, last + 11, last + 15)
        assert(os.rename(log, log .. "." .. round)) -- a line that has not been read yet would go with it
        append("line " .. last + 16)
        expect(subscribers, last + 16, last + 16)
        last = last + 16
      else
        expect(subscribers, last + 1, last + 15)
        last = last + 15
      end
    end
    for _, channel in ipairs(subscribers) do assert.same({nil, "timeout"}, {channel:receive(0)}) end
  end)

  it("ends on TERM, with its tail and its socket", function()
    local subscriber = subscribe()
    write(1, 1)
    expect({subscriber}, 1, 1)
    local tail = tonumber(children_of(server.pid):match("%d+"))
    server:signal("TERM")
    assert.same({true, "exit", 0}, {server:wait(PATIENCE)})
    assert.is_nil(server.stderr:receive(PATIENCE))
    assert.same({nil, "closed"}, {subscriber:receive(PATIENCE)})
    assert.is_nil(io.open("/proc/" .. tail .. "/stat"))
    assert.is_nil(io.open(path))
  end)
end)
