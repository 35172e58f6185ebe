-- SPDX-License-Identifier: MIT
-- A message that had come in time lost against its timeout, when both were found by the same look at the kernel: if a
-- signal or SIGCONT had ended the wait there (the look was given up, the timeouts were not), and for a task that was
-- not among the first 64 descriptors that were ready.

local ipc = require "ipc"

describe("a message that has come in time", function()
  -- Whether the messages came in time: a busy machine may need longer than that to send them.
  local function many(timeout)
    local senders, tasks, begun = {}, {}, ipc.now()
    for i = 1, 200 do
      local a, b = ipc.stream_channel_pair()
      senders[i] = a
      tasks[i] = ipc.task(function()
        local _ <close> = b
        return b:receive(timeout)
      end)
    end
    while tasks[200]:status() ~= "waiting" do ipc.yield() end
    for i = 1, 200 do senders[i]:send(i) end
    local in_time = ipc.now() < begun + timeout
    local over = ipc.now() + timeout + 0.01
    while ipc.now() < over do end -- nothing looks meanwhile
    for i = 1, 200 do
      local result = {tasks[i]:join()}
      senders[i]:close()
      if in_time then assert.same({true, i}, result) end
    end
    return in_time
  end

  it("is received by each of many whose time is over", function()
    local timeout = 0.05
    while not many(timeout) do timeout = 2 * timeout end
  end)

  it("is received by a process that was stopped until the time was over", function()
    for _ = 1, 2 do
      local child <close> = ipc.process(function(channel)
        channel:send("waiting")
        channel:send((channel:receive(0.1)))
      end)
      assert.equal("waiting", child.channel:receive(10))
      ipc.sleep(0.01) -- there is no event for being blocked in the kernel
      child:signal("STOP")
      child.channel:send("in time")
      ipc.sleep(0.15)
      child:signal("CONT")
      assert.equal("in time", child.channel:receive(10))
    end
  end)
end)
