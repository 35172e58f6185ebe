-- SPDX-License-Identifier: MIT
-- A key that is an infinity was written to JSON as the name ".nf" or "-.nf", for the exact writing of numbers takes
-- only finite ones.

local ipc = require "ipc"

describe("an infinity as a key", function()
  for name, key in pairs{plus = math.huge, minus = -math.huge} do
    it("is refused by JSON, at its place: " .. name, function()
      local a, b = ipc.stream_channel_pair()
      local ok, message = pcall(a.send, a, {items = {x = {[key] = 1}}})
      assert.is_false(ok)
      assert.matches("cannot encode message.items.x: an infinity as a key has no JSON form", message, 1, true)
      a:send("the next")
      assert.are.equal("the next", b:receive())
    end)

    it("is carried by Lua's own form: " .. name, function()
      local a, b = ipc.stream_channel_pair{codec = "lua"}
      a:send{[key] = "there"}
      assert.are.equal("there", b:receive()[key])
    end)
  end
end)
