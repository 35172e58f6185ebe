-- SPDX-License-Identifier: MIT
-- An empty array that went through a queue came out as an empty object: in Lua both are an empty table. What was an
-- empty array has a mark now, which is honoured as long as the table is empty; and there is one to send.

local ipc = require "ipc"
local channels = require "spec.support.channels"

-- what a program of another language would read
local function text_of(value)
  local key = ipc.shm_key("spec.104." .. ipc.pid())
  local queue <close> = assert(ipc.queue(key))
  local raw <close> = assert(ipc.queue(key, {codec = "raw"}))
  local _ <close> = setmetatable({}, {__close = function() queue:remove() end})
  queue:send(1, value)
  return (raw:receive(1, 0))
end

local function carried(codec, value)
  local a, b = channels.pair{codec = codec}
  assert(a:send(value))
  return b:receive(0)
end

local function parsed(text)
  local output, input = channels.fifo{framing = "line", codec = "json"}
  output:write(text, "\n")
  return input:receive(0)
end

describe("an empty array", function()
  after_each(channels.close)

  it("is one again when it is sent on, wherever it stands", function()
    for _, text in ipairs{"[]", '{"a":[]}', "[[],[[]]]", '[{},[]]'} do
      assert.equal(text, text_of(parsed(text)))
      for _, codec in ipairs{"json", "lua"} do assert.equal(text, text_of(carried(codec, parsed(text)))) end
    end
  end)

  it("is what it became when something was added, and one again when that is gone", function()
    local list = parsed "[]"
    assert.equal(0, #list)
    list[1] = "one"
    assert.equal('["one"]', text_of(list))
    list[1], list.x = nil, 1
    assert.equal('{"x":1}', text_of(list))
    list.x = nil
    assert.equal("[]", text_of(list))
    assert.equal("{}", text_of(setmetatable(list, nil)))
  end)

  it("is a table of its own", function()
    local list, other = parsed "[]", parsed "[]"
    list[1] = 1
    assert.same({}, other)
    assert.same({}, parsed "[]")
    assert.is_nil(getmetatable(parsed "{}"))
    assert.is_nil(getmetatable(parsed "[1]"))
  end)

  it("can be sent, and is one for all that cannot be changed", function()
    assert.equal('{"list":[]}', text_of{list = ipc.empty_array})
    assert.equal("[]", text_of(ipc.empty_array))
    assert.equal(0, #ipc.empty_array)
    assert.error_matches(function() ipc.empty_array[1] = 1 end, "ipc.empty_array cannot be changed")
    assert.error_matches(function() table.insert(ipc.empty_array, 1) end, "ipc.empty_array cannot be changed")
    for _, codec in ipairs{"json", "lua"} do
      local got = carried(codec, ipc.empty_array)
      got[1] = 1
      assert.equal("[1]", text_of(got))
    end
    assert.equal("[]", text_of(ipc.empty_array))
  end)

  it("may have the mark of another library", function()
    assert.equal("[]", text_of(setmetatable({}, {__jsontype = "array"})))
    assert.equal("{}", text_of(setmetatable({}, {__jsontype = "object"})))
    assert.equal("{}", text_of(setmetatable({}, {__jsontype = true, __index = error})))
    local sentinel = debug.upvalueid(carried, 1) -- a light userdata, as cjson.empty_array is
    local cjson = package.loaded.cjson
    package.loaded.cjson = {array_mt = {}, empty_array_mt = {}, empty_array = sentinel}
    finally(function() package.loaded.cjson = cjson end)
    local loaded = package.loaded.cjson
    local marked = {setmetatable({}, loaded.array_mt), setmetatable({}, loaded.empty_array_mt), sentinel}
    assert.equal("[[],[],[]]", text_of(marked))
    assert.equal("[]", text_of(carried("lua", sentinel)))
    for _, nothing in ipairs{1, false, setmetatable({}, {__index = error})} do
      package.loaded.cjson = nothing
      assert.error_matches(function() text_of(sentinel) end, "a userdata has no JSON form")
      assert.equal("{}", text_of(setmetatable({}, {})))
    end
  end)
end)
