-- SPDX-License-Identifier: MIT
-- What a newcomer to jobs and shared data wrote, and what it did: job:done(2) sent null, d:clear("prefix") deleted all,
-- send_many took {a = 1} for an empty list and a hole for null, a ttl in the wrong place was ignored in a change, and a
-- job for the year 1e292 was sent. Where an error was raised it named a function of a script of ours ("bad argument #2
-- to 'queue_take_next'") and its line.

local ipc = require "ipc"

local function is_bad(arg, call, text, fn)
  local ok, why = pcall(fn)
  assert.is_false(ok)
  local wanted = ("bad argument #%d to '%s' (%s"):format(arg, call, text)
  assert.equal(wanted, why:match("bad argument.*"):sub(1, #wanted))
  assert.is_nil(why:find("ipc%.[%w_]+:%d")) -- a line of a script of ours
end

describe("a job", function()
  local queue
  before_each(function() queue = assert(ipc.queue(ipc.private)) end)
  after_each(function() queue:close() end)

  it("becomes no message that was forgotten", function()
    queue:send(1, "x")
    local job <close> = queue:take()
    is_bad(2, "done", "value expected)", function() job:done(2) end)
    assert.is_true(job:done(2, "y"))
    assert.same({"y", 2}, {queue:receive()})
  end)

  it("is not retried with a reason in the place of the seconds", function()
    queue:send(1, "x")
    local job <close> = queue:take()
    is_bad(1, "retry", "seconds must be a number, got string; the reason comes after it)",
      function() job:retry("no such host") end)
    is_bad(1, "retry", "seconds must be a number, got table)", function() job:retry({}) end)
    is_bad(1, "retry", "seconds must end before the year 2261)", function() job:retry(1e300) end)
    is_bad(1, "retry", "seconds must end before the year 2261)", function() job:retry(math.huge) end)
    assert.is_true(job:release())
  end)

  it("is due at a time that there is", function()
    for _, seconds in ipairs{1e300, math.huge, 0 / 0, 9.3e9} do
      is_bad(4, "send", "after must be seconds, 0 or more, and end before the year 2261, got ",
        function() queue:send(1, "x", nil, {after = seconds}) end)
      is_bad(4, "send", "at must be a time in seconds, as os.time() tells it, before the year 2261, got ",
        function() queue:send(1, "x", nil, {at = seconds}) end)
    end
    assert.is_true(queue:send(1, "x", nil, {at = 9e9}))
    assert.is_true(queue:send(1, "x", nil, {after = 7e9}))
    assert.equal(2, queue:stat().delayed)
  end)

  it("with a long id has a short one in messages", function()
    queue:send(1, "x", nil, {id = ("ä"):rep(120)})
    local job <close> = queue:take()
    assert.is_true(job:done())
    assert.equal(("ipc.Job %s... (private, done)"):format(("ä"):rep(20)), tostring(job))
    local ok, why = pcall(job.done, job)
    assert.is_false(ok)
    assert.matches("job " .. ("ä"):rep(20) .. "... of queue private is done already", why, 1, true)
    assert.equal(("ä"):rep(120), job.id)
  end)

  it("is sent with its options behind the timeout", function()
    is_bad(3, "send", "timeout must be seconds, got table; how to send comes after it)",
      function() queue:send(1, "x", {after = 3}) end)
    is_bad(4, "send_many", "send_many has no options", function() queue:send_many(1, {"x"}, nil, {after = 3}) end)
  end)
end)

describe("the options of jobs", function()
  it("are refused where they make no sense", function()
    for _, backoff in ipairs{{5}, {60, 1}, {1, 2, 3}, {first = 1, longest = 2}, {1, "x"}, {-1, 1}, {0 / 0, 1}} do
      local ok, why = pcall(ipc.queue, ipc.private, {backoff = backoff})
      assert.is_false(ok)
      assert.matches("backoff must be {first, longest}, two numbers of seconds, first not above longest", why, 1, true)
    end
  end)

  it("are numbers, and not strings of digits", function()
    local queue <close> = assert(ipc.queue(ipc.private))
    local data <close> = assert(ipc.shared_data(ipc.private))
    local function refused(fn, options, text)
      local ok, why = pcall(fn, options)
      assert.is_false(ok)
      assert.matches(text, why, 1, true)
    end
    local function open(options) return ipc.queue(ipc.private, options) end
    refused(open, {attempts = "3"}, "attempts must be from 1 to 65535, got '3'")
    refused(open, {capacity = "65536"}, "capacity must be from 1 to 2147483647 bytes, got '65536'")
    refused(open, {within = "3"}, "within must be seconds, more than 0, got '3'")
    refused(open, {backoff = {"1", "2"}}, "backoff must be {first, longest}")
    refused(function(how) queue:send(1, "x", nil, how) end, {after = "3"}, "got '3'")
    refused(function(how) queue:send(1, "x", nil, how) end, {attempts = "3"}, "got '3'")
    refused(function(how) queue:work(print, how) end, {at_once = "3"}, "got '3'")
    refused(function(how) queue:work(print, how) end, {type = "3"}, "got '3'")
    refused(function(how) data:set("a", 1, nil, how) end, {ttl = "3"}, "got '3'")
    refused(ipc.multi_stream_channel, {limit = "3"}, "got '3'")
  end)

  it("of work are told at the line that called it", function()
    local queue <close> = assert(ipc.queue(ipc.private))
    is_bad(2, "work", "type must be an integer, got 'x')", function() queue:work(print, {type = "x"}) end)
    is_bad(2, "work", "at_once must be from 1 to 1048576, got 0)", function() queue:work(print, {at_once = 0}) end)
    is_bad(2, "work", "unknown option 'twice'; it knows", function() queue:work(print, {twice = 1}) end)
    is_bad(2, "work", "table expected, got number)", function() queue:work(print, 3) end)
  end)
end)

describe("a list of messages", function()
  it("has no holes and no fields", function()
    local queue <close> = assert(ipc.queue(ipc.private))
    local a, b = ipc.stream_channel_pair()
    local hub <close> = ipc.multi_stream_channel()
    local function refused(text, list)
      is_bad(2, "send_many", text, function() queue:send_many(1, list) end)
      is_bad(1, "send_many", text, function() a:send_many(list) end)
      is_bad(1, "send_many", text, function() hub:send_many(list) end)
    end
    refused("messages[2] is nil)", {1, nil, 3})
    refused("messages[1] is nil)", {[2] = 1})
    refused("messages must be a list, but has a field 'a')", {a = 1})
    refused("messages must be a list, but has a field 'a')", {1, 2, a = 1})
    refused("messages must be a list, but has a field true)", {1, [true] = 1})
    assert.equal(0, #queue)
    local far = setmetatable({}, {__len = function() return 2 end, __index = function(_, i) return i end})
    assert.is_true(queue:send_many(1, far))
    assert.same({{1, 2}, {1, 1}}, {queue:receive_many(10)})
    a:close()
    b:close()
  end)
end)

describe("shared data", function()
  local data
  before_each(function()
    data = assert(ipc.shared_data(ipc.private))
    data:set("a", 1)
  end)
  after_each(function() data:close() end)

  it("takes no argument that would be overlooked", function()
    is_bad(1, "clear", "clear deletes all names", function() data:clear("b") end)
    is_bad(1, "clear", "clear deletes all names", function() data:clear(nil) end)
    is_bad(1, "remove", "remove ends the shared data", function() data:remove("a") end)
    is_bad(1, "count", "count counts all names", function() data:count("b") end)
    is_bad(3, "delete", "delete takes one name", function() data:delete("a", nil, "b") end)
    is_bad(2, "each", "each takes one prefix", function() data:each("a", "b") end)
    assert.equal(1, data:count())
  end)

  it("says where a ttl belongs", function()
    is_bad(3, "set", "check must be true, or a version, got table; options such as ttl come after it)",
      function() data:set("a", 2, {ttl = 1}) end)
    local function refused(text, fn)
      assert.error_matches(function() data:change(fn) end, text, 1, true)
    end
    refused("set of a change takes no check: its options come after the value",
      function(change) change:set("a", 2, nil, {ttl = 1}) end)
    refused("delete of a change takes one name, and no check", function(change) change:delete("a", 3) end)
    assert.equal(1, data:get("a"))
  end)

  it("names the method of a change that was called", function()
    local function changed(fn) return function() data:change(fn) end end
    is_bad(1, "get", "string expected, got nil)", changed(function(change) change:get() end))
    is_bad(1, "get", "name must have from 1 to 511 bytes, got 0)", changed(function(change) change:get("") end))
    is_bad(1, "set", "string expected, got table)", changed(function(change) change:set({}, 1) end))
    is_bad(2, "set", "value expected", changed(function(change) change:set("a") end))
    is_bad(3, "set", "ttl must be seconds, more than 0, got 'x')",
      changed(function(change) change:set("a", 1, {ttl = "x"}) end))
    is_bad(3, "set", "unknown option 'tll'", changed(function(change) change:set("a", 1, {tll = 1}) end))
    is_bad(3, "set", "table expected, got number)", changed(function(change) change:set("a", 1, 5) end))
    is_bad(1, "delete", "string expected, got nil)", changed(function(change) change:delete() end))
  end)
end)

it("a queue is not removed for a message", function()
  local queue <close> = assert(ipc.queue(ipc.private))
  is_bad(1, "remove", "remove ends the queue", function() queue:remove("a") end)
  assert.equal(0, #queue)
end)
