-- SPDX-License-Identifier: MIT
-- What the codecs carry, exactly, and what they refuse, tried through channels. What no channel would send is read by
-- codec_foreign.lua, in a program that calls the codecs by themselves.

local ipc = require "ipc"
local rounds = require "spec.support.rounds"
local values = require "spec.support.values"

local program = os.getenv("IPCLUA") or "build/ipclua"
local sanitizer = os.getenv("IPC_SANITIZE")
local VALUES <const> = rounds(sanitizer and 20000 or 200000)

-- there and back; the sender is a task of its own, for a message larger than what the system holds
local function carried(codec, value)
  local a, b = ipc.stream_channel_pair{codec = codec}
  local _ <close> = a
  local _ <close> = b
  local sender = ipc.task(function() return assert(a:send(value)) end)
  local got, why = b:receive(5)
  assert.is_true(sender:join(5))
  return got, why
end

local function refusal(codec, value)
  local a <close> = ipc.stream_channel_pair{codec = codec}
  local ok, why = pcall(a.send, a, value)
  assert.is_false(ok)
  return (why:gsub("^[^ ]+:%d+: ", ""))
end

local function nested(depth)
  local t = {}
  for _ = 2, depth do t = {t} end
  return t
end

local function output_of(command)
  local pipe = assert(io.popen("exec 2>&1; " .. command))
  local text = pipe:read("a")
  pipe:close()
  return text
end

for codec, loose in pairs{json = true, lua = false} do
  describe("codec " .. codec, function()
    it("carries what is at the edges", function()
      for _, list in ipairs{values.INTEGERS, values.FLOATS, values.STRINGS} do
        for _, value in ipairs(list) do
          local got = carried(codec, value)
          assert(values.same(value, got, loose), ("%q came back as %q"):format(value, got))
        end
        assert.is_true(values.same(list, carried(codec, list), loose))
      end
      assert.equal("-0.0", tostring(carried(codec, -0.0)))
      assert.equal("integer", math.type(carried(codec, 42)))
      assert.equal(ipc.null, carried(codec, ipc.null))
      assert.same({true, false, {}}, carried(codec, {true, false, {}}))
    end)

    it("carries random values as they are", function()
      assert.equal("carried", values.carry(codec, VALUES, os.time()))
    end)

    it("carries long strings and large tables", function()
      local long = ("0123456789\0\xff"):rep(100000)
      assert.is_true(carried(codec, long) == long)
      local large = {list = {}, map = {}}
      for i = 1, 3000 do
        large.list[i] = i * 0.5
        large.map["key" .. i] = {i, {}}
      end
      assert.is_true(values.same(large, carried(codec, large), loose))
    end)

    it("carries tables up to its depth, and says what is deeper", function()
      local limit = codec == "json" and 1000 or 200
      local got, depth = carried(codec, nested(limit)), 0
      while got do got, depth = got[1], depth + 1 end
      assert.equal(limit, depth)
      local why = refusal(codec, nested(limit + 1))
      assert.matches("^cannot encode message%[1%]%[1%].*: nested more than " .. limit .. " deep", why)
      local loop = {}
      loop.again = {loop}
      assert.matches("^cannot encode message%.again%[1%]%.again.*, or a table inside itself$", refusal(codec, loop))
    end)

    it("names the place of what it refuses", function()
      local form = codec == "json" and "JSON" or "binary"
      local co, file, f = coroutine.create(print), io.stdout, print
      for _, case in ipairs{
        {f, "", "function"}, {{f}, "[1]", "function"}, {{items = {1, 2, {f = f}}}, ".items[3].f", "function"},
        {{["a b"] = {co}}, '["a b"][1]', "thread"}, {{[""] = file}, '[""]', "userdata"},
        {{_x1 = {["1x"] = {["a\n\"\\"] = f}}}, '._x1["1x"]["a\\010\\"\\\\"]', "function"},
        {{[-3] = f}, "[-3]", "function"}, {{[2.5] = {{f}}}, "[2.5][1][1]", "function"},
        {{1, nil, 3, nil, {f}}, "[5][1]", "function"}, {{1, x = {f}}, ".x[1]", "function"},
        {{[("k"):rep(50)] = f}, '["' .. ("k"):rep(40) .. '..."]', "function"},
      } do
        assert.equal(("cannot encode message%s: a %s has no %s form"):format(case[2], case[3], form),
          refusal(codec, case[1]))
      end
    end)

    it("sends nothing of what it refuses", function()
      local a, b = ipc.stream_channel_pair{codec = codec}
      local _ <close> = a
      local _ <close> = b
      assert.is_false(pcall(a.send, a, {("x"):rep(2000), {print}}))
      assert(a:send("next"))
      assert.equal("next", b:receive(1))
    end)
  end)
end

describe("codec json", function()
  it("refuses what JSON has no form for", function()
    assert.equal("cannot encode message.x[1]: NaN has no JSON form", refusal("json", {x = {0 / 0}}))
    assert.equal("cannot encode message[2]: an infinity has no JSON form", refusal("json", {1, -1 / 0}))
    assert.equal("cannot encode message.x: a boolean as a key has no JSON form", refusal("json", {x = {[true] = 1}}))
    assert.equal("cannot encode message[1]: a table as a key has no JSON form", refusal("json", {{[{}] = 1}}))
    for _, sparse in ipairs{{[1] = 1, [100] = 1}, {1, 2, 3, [1 << 40] = 1}, {[math.maxinteger] = 1}, {[11] = 1}} do
      assert.equal("cannot encode message.list: a list with more holes than values has no JSON form",
        refusal("json", {list = sparse}))
    end
    assert.equal('cannot encode message: the keys 1 and "1" are one key in JSON', refusal("json", {1, ["1"] = 2}))
    assert.equal('cannot encode message.t: the keys 2.5 and "2.5" are one key in JSON',
      refusal("json", {t = {["2.5"] = 1, [2.5] = 2}}))
  end)

  it("makes names of keys that are numbers, and null of holes", function()
    assert.same({["1"] = "a", ["2"] = "b", x = "c"}, carried("json", {"a", "b", x = "c"}))
    assert.same({["0"] = 1, ["-9223372036854775808"] = 2, ["0.1"] = 3, ["1e+300"] = 4},
      carried("json", {[0] = 1, [math.mininteger] = 2, [0.1] = 3, [1e300] = 4}))
    assert.same({1, ipc.null, 3}, carried("json", {1, nil, 3}))
    assert.same({ipc.null, ipc.null, 3}, carried("json", {[3] = 3}))
    assert.equal(ipc.null, carried("json", nil))
    local reversed = {}
    for i = 20, 1, -1 do reversed[i] = i end
    assert.same(reversed, carried("json", reversed))
  end)

  it("writes each table of a deep mixture once", function()
    local deep = {1}
    for _ = 1, 300 do deep = {deep, x = 1} end -- looks like a list until x comes
    local got, depth = carried("json", deep), 0
    while got["1"] do got, depth = got["1"], depth + 1 end
    assert.equal(300, depth)
  end)

  it("looks at no metatable", function()
    local t = setmetatable({1}, {__index = error, __len = error, __pairs = error, __gc = error, __mode = "k"})
    assert.same({1}, carried("json", t))
    assert.same({1}, carried("lua", t))
    setmetatable(t, nil)
  end)

  it("carries random values over a lua-cjson that keeps integers", function()
    local script = ([[      package.loaded.cjson = require "spec.support.newer_cjson"
      print(require "spec.support.values".carry("json", %d, %d))]]):format(VALUES // 20, os.time())
    assert.equal("carried\n", output_of(("timeout 60 %s -e '%s'"):format(program, script)))
  end)

  it("says what is missing without lua-cjson", function()
    local script = [[package.path, package.cpath, package.loaded.cjson = "", "", nil
      local a = require "ipc".stream_channel_pair()
      print(pcall(a.send, a, 1))]]
    local output = output_of(("timeout 60 %s -e '%s'"):format(program, script))
    assert.matches("^false\tthe json codec needs lua%-cjson", output)
  end)
end)

describe("codec lua", function()
  it("carries nil, holes, and keys of all kinds", function()
    local got, why = carried("lua", nil)
    assert.is_nil(got)
    assert.is_nil(why)
    local odd = {[1] = 1, [3] = 3, [100] = 100, [-1] = {}, [2.5] = "x", [true] = 1, [false] = 2, [1 / 0] = 3, ["1"] = 4,
      [ipc.null] = 5}
    assert.is_true(values.same(odd, carried("lua", odd)))
    local by_table = carried("lua", {[{1, 2}] = "x"})
    assert.same({1, 2}, (next(by_table)))
    assert.equal("nan", tostring(carried("lua", 0 / 0)):match("nan"))
    assert.equal(3.0, carried("lua", 3.0))
    assert.equal("float", math.type(carried("lua", 3.0)))
  end)

  it("keeps the bytes of large tables in order", function()
    for _, count in ipairs{254, 255, 256, 257, 70000} do
      local list, map = {}, {}
      for i = 1, count do list[i], map["k" .. i] = i, i end
      assert.is_true(values.same({list, map}, carried("lua", {list, map})))
    end
  end)

  it("names a key that it refuses", function()
    local why = "cannot encode message%s: a function has no binary form"
    assert.equal(why:format(".x[a function]"), refusal("lua", {x = {[print] = 1}}))
    assert.equal(why:format("[a table].f"), refusal("lua", {[{f = print}] = 1}))
  end)
end)

describe("codec raw", function()
  it("carries strings", function()
    assert.equal("a\0b", carried("raw", "a\0b"))
    assert.equal("cannot encode message: codec \"raw\" carries strings, got a table", refusal("raw", {}))
    assert.equal("cannot encode message: codec \"raw\" carries strings, got a number", refusal("raw", 1))
  end)
end)

describe("a codec of one's own", function()
  it("must have its two functions", function()
    local function make(codec) ipc.stream_channel_pair{codec = codec} end
    assert.error_matches(function() make{encode = print} end, "codec needs a function decode, got nil")
    assert.error_matches(function() make{decode = print} end, "codec needs a function encode, got nil")
    assert.error_matches(function() make{encode = 1, decode = print} end, "codec needs a function encode, got number")
    for _, codec in ipairs{"xml", 1, true, print} do
      assert.error_matches(function() make(codec) end,
        'codec must be "json", "lua", "raw" or a table with encode and decode', 1, true)
    end
  end)

  it("must return a string", function()
    local codec = {encode = function(value) return value end, decode = tostring}
    assert.equal("cannot encode message: the codec's encode returned a table, not a string", refusal(codec, {}))
    assert.equal("cannot encode message: the codec's encode returned a number, not a string", refusal(codec, 1))
    assert.equal("x", carried(codec, "x"))
  end)

  it("raises at the sender, and gives the receiver a message", function()
    local codec = {encode = tostring, decode = function(text) error({text}) end}
    local got, why = carried(codec, 1)
    assert.is_nil(got)
    assert.matches("^cannot decode a message of this channel %(descriptor %d+%): table", why)
    codec.encode = function() error("will not", 0) end
    assert.equal("will not", refusal(codec, 1))
  end)
end)

describe("bytes from elsewhere", function()
  it("are read exactly or refused", function()
    local build, host = program:match("^(.*)/") or ".", os.tmpname()
    finally(function() os.remove(host) end)
    local command = "cc -std=c11 -D_GNU_SOURCE -O1 -g %s -Iruntime -Ibindings -I/usr/include/lua5.4 -o %s "
      .. "spec/support/codec_host.c %s/runtime/lua_heap.o "
      .. "$(cd %s && ls $(cd - >/dev/null && find bindings runtime/*/ -name '*.c' | sed 's/c$/o/') 2>/dev/null "
      .. "| sed 's|^|%s/|') "
      .. "-Wl,-E -Wl,--whole-archive -l:liblua5.4.a -Wl,--no-whole-archive $(cat %s/.libs)"
      .. " && timeout 60 %s %s spec/support/codec_foreign.lua"
    local steady = sanitizer == "thread" and os.execute("setarch -R true 2>/dev/null") and "setarch -R " or ""
    local flags = sanitizer and "-fsanitize=" .. (sanitizer == "address" and "address,undefined" or sanitizer) or ""
    assert.equal("ok\n", output_of(command:format(flags, host, build, build, build, build, steady, host)))
  end)
end)
