-- SPDX-License-Identifier: MIT
-- lua-cjson takes more than JSON: "1." was a number, 1e400 an infinity that the same codec refused to send on, and a
-- tab or a newline in a string passed, which no other reader takes. What is no JSON is refused before, and
-- whatever can be received can be sent.

local ipc = require "ipc"

local queue, raw

local function reads(text)
  assert(raw:send(1, text))
  return queue:receive(1, 0)
end

describe("JSON", function()
  before_each(function()
    local key = ipc.shm_key("spec.103." .. ipc.pid())
    queue, raw = assert(ipc.queue(key)), assert(ipc.queue(key, {codec = "raw"}))
  end)

  after_each(function()
    queue:remove()
    queue:close()
    raw:close()
  end)

  it("is refused where it is none, with the place", function()
    for _, text in ipairs{"1.", "[1.]", ".5", "+1", "01", "-01", "1.e5", "1e", "-", "0x10", "1_000", "NaN", "-Infinity",
      "1e400", "-1e400", "[1e309]", ("9"):rep(310), "1 2", "{} x", "[1,]", "{'a':1}", "[1 /* one */]", "\xef\xbb\xbf1",
      '"a\tb"', '"a\nb"', '"a\0b"', "1\0", '"\\ud800"', '"\\udc00"', '"\\ud800\\ud800"', '"\\a"', '"\\u00g0"', "nul"} do
      local value, why = reads(text)
      assert.is_nil(value, text)
      assert.matches("^cannot decode a message of type 1 of queue .*: .", why)
    end
    assert.equal(0, #queue)
  end)

  it("can be sent on, whatever was read", function()
    for _, text in ipairs{"-0", "1e308", "-1.7976931348623157e308", "5e-324", "1e-400", "1E5", "9223372036854775808",
      '"\\ud83d\\ude00\\u0000"', '"\xff\x7f"', "[null,[],{}]", ' { "a" : [ ] } '} do
      local value, why = reads(text)
      assert.is_not_nil(value, why)
      assert.is_true(queue:send(1, value))
      local again = raw:receive(1, 0)
      assert.is_true(raw:send(1, again))
      assert.same(value, (queue:receive(1, 0)))
    end
  end)
end)
