-- SPDX-License-Identifier: MIT
-- A loop over messages() ended silently at a message that could not be decoded, at an error of the operating system,
-- and at a message that was nil: to the program that was the end, and what came behind was never read. It ends at the
-- end only, and raises whatever else is no message; the rest is there for the next loop.

local ipc = require "ipc"
local channels = require "spec.support.channels"
local engines = require "spec.support.engines"
local waits = require "spec.support.waits"

local pair, PATIENCE <const> = channels.pair, channels.PATIENCE

-- Reads to the end, or to a 0, through all errors: what came, with the errors as {why}.
local function read(object)
  local got = {}
  repeat
    local well, why = pcall(function()
      for message in object:messages() do
        if message == 0 then break end
        got[#got + 1] = message
      end
    end)
    if not well then got[#got + 1] = {why} end
  until well or #got > 20
  return got
end

local strict = {encode = function(value) return value end}
function strict.decode(text) return text ~= "nil" and assert(tonumber(text), "no number") or nil end

-- One step of it.
local function step(object)
  local next, state = object:messages()
  return next(state)
end

-- On the main chunk, where all is there already, and in a task that waits for each.
local function in_both(open, check)
  local send, object, finish = open()
  for _, text in ipairs{"1", "bad", "nil", "3"} do send(text) end
  finish()
  check(read(object))

  send, object, finish = open()
  local reader = waits.waiting(read, object)
  for _, text in ipairs{"1", "bad", "nil", "3"} do
    send(text)
    waits.settle()
  end
  finish()
  local well, got = reader:join(PATIENCE)
  assert.is_true(well)
  check(got)
end

local function checks(name)
  return function(got)
    assert.same({1, 3}, {got[1], got[4]})
    assert.matches("^[^ ]*100%-messages.*:%d+: cannot decode a message of .*" .. name .. ".*: .*no number", got[2][1])
    assert.matches(":%d+: a message is nil, which would end the loop: use receive$", got[3][1])
    assert.equal(4, #got)
  end
end

describe("a loop over the messages", function()
  for _, engine in ipairs(engines.of(ipc.queue)) do
    describe("of a queue on " .. engine.name, function()
      if engine.missing then return pending(engine.missing) end
      after_each(engine.cleanup)

      it("raises what is no message, and goes on behind it", function()
        in_both(function()
          local q = assert(ipc.queue(engine.key(), {codec = strict}))
          return function(text) q:send(7, text) end, q, function()
            ipc.task(function()
              while #q > 0 do ipc.yield() end
              q:close()
            end)
          end
        end, checks "type 7 of queue ")
      end)

      it("ends with the queue", function()
        for _, ends in ipairs{"close", "remove"} do
          local q = assert(ipc.queue(engine.key(), {codec = strict}))
          local t = waits.waiting(read, q)
          q[ends](q)
          assert.same({true, {}}, {t:join(PATIENCE)})
          q:close()
        end
      end)
    end)
  end

  describe("of a channel", function()
    after_each(channels.close)

    for _, framing in ipairs{"length", "line"} do
      it("raises what is no message, and goes on behind it: " .. framing, function()
        in_both(function()
          local a, b = pair{framing = framing, codec = strict}
          return function(text) a:send(text) end, b, function() a:close() end
        end, checks "this channel %(descriptor %d+%)")
      end)
    end

    it("raises what is no message of a program, and goes on behind it", function()
      local command = {"sh", "-c", "echo 1; echo oops; echo 3", stdout = "pipe", codec = "json"}
      local shell <close> = assert(ipc.process(command))
      local got = read(shell.stdout)
      assert.same({1, 3}, {got[1], got[3]})
      assert.matches("cannot decode", got[2][1])
      assert.equal(3, #got)
    end)

    it("raises at a handle, which stays for a receive_handle", function()
      local a, b = pair()
      a:send("before")
      a:send_handle(channels.keep(io.tmpfile()))
      a:send("behind")
      assert.equal("before", step(b))
      assert.error_matches(function() step(b) end, "a handle is next: use receive_handle")
      channels.keep(assert(b:receive_handle(0)))
      a:close()
      assert.same({"behind"}, read(b))
    end)

    it("raises at a message that is too large, and ends then", function()
      local path = os.tmpname()
      os.remove(path)
      local hub = channels.keep(ipc.multi_stream_channel{codec = "raw"})
      assert(hub:listen(path))
      local narrow = channels.keep(assert(ipc.connect(path, {codec = "raw", max_message = 10})))
      waits.settle()
      assert.equal(1, hub:send(("x"):rep(11)))
      assert.error_matches(function() step(narrow) end, "over this channel's limit of 10 bytes")
      assert.same({}, read(narrow))
    end)

    it("raises where nothing can be received", function()
      local output = channels.keep(assert(io.open("/dev/null", "w")))
      local c = channels.keep(assert(ipc.stream_channel(output)))
      assert.error_matches(function() step(c) end, "Bad file descriptor")
    end)
  end)

  it("of a hub raises what is no message, and says whose it was", function()
    in_both(function()
      local hub = channels.keep(ipc.multi_stream_channel{codec = strict})
      local client = channels.keep(assert(hub:create_client()))
      return function(text) client:send(text) end, hub, function() client:send("0") end
    end, checks "client 1 of this hub")
    local hub = channels.keep(ipc.multi_stream_channel())
    local t = waits.waiting(read, hub)
    channels.close()
    assert.same({true, {}}, {t:join(PATIENCE)})
  end)
end)
