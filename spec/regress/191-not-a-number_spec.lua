-- SPDX-License-Identifier: MIT
-- A timeout that is NaN, the result of 0/0, was said to be negative, and an interval to be 0 or less. They name it now.

local ipc = require "ipc"

local NAN <const> = 0 / 0

describe("not a number", function()
  it("is named as a timeout", function()
    local channel, far = ipc.stream_channel_pair()
    finally(function() channel:close() far:close() end)
    local queue <close> = assert(ipc.queue(ipc.private))
    local mutex <close> = assert(ipc.mutex(ipc.private))
    local child <close> = assert(ipc.process(function() end))
    local calls <const> = {
      function() ipc.sleep(NAN) end,
      function() ipc.timeout(NAN, print) end,
      function() ipc.select({far}, NAN) end,
      function() ipc.scope(function(scope) scope:task(function() end):join(NAN) end) end,
      function() channel:receive(NAN) end,
      function() queue:send(1, "x", NAN) end,
      function() mutex:acquire(NAN) end,
      function() child:wait(NAN) end,
    }
    for i, call in ipairs(calls) do assert.error_matches(call, "timeout must be seconds, not NaN", nil, nil, i) end
  end)

  it("is named as the time of a timer", function()
    assert.error_matches(function() ipc.timer(NAN) end, "the interval must be seconds, not NaN")
    assert.error_matches(function() ipc.after(NAN, print) end, "seconds must not be NaN")
  end)

  it("is not confused with what is negative", function()
    assert.error_matches(function() ipc.sleep(-0.5) end, "timeout must be seconds, not negative")
    assert.error_matches(function() ipc.timer(-0.5) end, "the interval must be seconds, more than 0")
    assert.error_matches(function() ipc.after(-math.huge, print) end, "seconds must not be negative")
  end)
end)
