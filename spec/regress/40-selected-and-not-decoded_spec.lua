-- SPDX-License-Identifier: MIT
-- A message that cannot be decoded, received in a select, left the codec's error where select had put the key of the
-- case: the first result was that text, and the key was lost. And an error whose __tostring raises was raised by
-- receive, with the message gone, where nil and a text are promised.

local ipc = require "ipc"
local engines = require "spec.support.engines"

local function failing(err)
  return {encode = function(value) return value end, decode = function() error(err, 0) end}
end

-- what can be sent to and received from, with a codec
local homes = {}
local sysv = engines.sysv

function homes.queue(codec)
  local queue = assert(ipc.queue(sysv.key(), {codec = codec}))
  return function(text) queue:send(1, text) end, queue
end

homes["shared queue"] = function(codec)
  local queue = assert(ipc.queue(ipc.private, {codec = codec}))
  return function(text) queue:send(1, text) end, queue
end

function homes.channel(codec)
  local a, b = ipc.stream_channel_pair{codec = codec}
  return function(text) a:send(text) end, b
end

local odd = {
  text = "no good",
  table = {},
  ["a table that has no text"] = setmetatable({}, {__tostring = function() error "no text" end}),
  ["a table whose text is none"] = setmetatable({}, {__tostring = function() return {} end}),
}

describe("a message that cannot be decoded", function()
  after_each(sysv.cleanup)

  for name, open in pairs(homes) do
    it("leaves select the key of its case: " .. name, function()
      local send, object = open(failing("no good"))
      send("one")
      local results = table.pack(ipc.select{there = object})
      assert.are.equal(3, results.n)
      assert.are.equal("there", results[1])
      assert.is_nil(results[2])
      assert.matches("cannot decode a message .*: no good$", results[3])
    end)

    it("is nil and a text, whatever the error is: " .. name, function()
      for _, err in pairs(odd) do
        local send, object = open(failing(err))
        send("one")
        local results = table.pack(object:receive())
        assert.are.equal(2, results.n)
        assert.is_nil(results[1])
        assert.matches("^cannot decode a message ", results[2])
      end
    end)
  end
end)
