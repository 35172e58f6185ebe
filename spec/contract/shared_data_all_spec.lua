-- SPDX-License-Identifier: MIT
-- What shared data promises on every engine: all names in order, codecs, counters, and what becomes of handles.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local EEXIST = 17
local PATIENCE = waits.PATIENCE

contract.each(_ENV, "shared data", ipc.shared_data, function(engine, open, keyed, key)
  describe("shows all names", function()
    it("in the order of their bytes, with values and versions", function()
      local d <close> = open()
      local versions = {}
      for _, name in ipairs{"b", "a", "\xff", "aa", "B", "a\0"} do versions[name] = d:set(name, "of " .. name) end
      local list = {}
      for name, value, version in pairs(d) do
        assert.same({"of " .. name, versions[name]}, {value, version})
        list[#list + 1] = name
      end
      assert.same({"B", "a", "a\0", "aa", "b", "\xff"}, list)
      d:delete("a")
      assert.equal("a\0", (pairs(d)(d, "a"))) -- the next after one that is not there
    end)

    it("of which there may be none", function()
      local d <close> = open()
      for name in pairs(d) do error(name) end
    end)

    it("while they change, and what was there all the time comes once", function()
      local d <close> = open()
      for i = 1, 300 do d:set(("%04d"):format(i), i) end
      local seen = {}
      for name, value in pairs(d) do
        seen[name] = (seen[name] or 0) + 1
        if value % 3 == 0 then d:delete(name) end
        if value % 5 == 0 then d:set(("%04d x"):format(value), -1) end
        if value == 100 then ipc.sleep(0.001) end -- no transaction is open meanwhile
        if value == 150 then for i = 200, 250 do d:delete(("%04d"):format(i)) end end
        d:get(name)
      end
      for i = 1, 300 do
        assert.equal(i >= 200 and i <= 250 and 0 or 1, seen[("%04d"):format(i)] or 0)
      end
    end)

    it("and what was shown counts as got", function()
      local d <close> = open()
      d:set("x", 1)
      for name, value in pairs(d) do assert.truthy(d:set(name, value + 1, true)) end
      assert.equal(2, d:get("x"))
    end)
  end)

  describe("carries values by a codec", function()
    local inf = 1 / 0
    it("json", function()
      local d <close> = open()
      for i, value in ipairs{1, -1, 2.5, 1 << 62, 0.1, true, false, "", "ä\0", ipc.null, {a = {b = {}}}, {1, 2}} do
        d:set("x" .. i, value)
        assert.same(value, (d:get("x" .. i)))
      end
      assert.error_matches(function() d:set("n", {a = {inf}}) end, "cannot encode value%.a%[1%]")
      assert.error_matches(function() d:set("n", print) end, "cannot encode")
      assert.is_nil(d:get("n"))
    end)

    it("lua", function()
      local d <close> = open{codec = "lua"}
      for i, value in ipairs{1, 1.0, -inf, {[2.5] = {true}}, math.mininteger} do
        d:set("x" .. i, value)
        assert.same(value, (d:get("x" .. i)))
        assert.equal(math.type(value), math.type(d:get("x" .. i)))
      end
    end)

    it("raw", function()
      local d <close> = open{codec = "raw"}
      for _, value in ipairs{"", "\0", ("x"):rep(100000)} do
        d:set("x", value)
        assert.equal(value, (d:get("x")))
      end
      assert.error_matches(function() d:set("x", 5) end, "carries strings")
    end)

    it("of one's own, which may use the handle, and close it", function()
      local d
      local codec = {}
      function codec.decode(text)
        if text == "<y>" then assert(d:get("other") == "<1>") end
        return text
      end
      function codec.encode(value)
        if value == "close" then d:close() end
        return "<" .. value .. ">"
      end
      d = open{codec = codec}
      d:set("other", 1)
      d:set("x", "y")
      assert.equal("<y>", d:get("x"))
      assert.error_matches(function() d:set("x", "close") end, "shared data .* is closed")
    end)

    it("and tells what it cannot decode, and can replace it", function()
      local strict = {encode = function(text) return text end}
      function strict.decode(text)
        if text:sub(1, 1) == "!" then error("it says " .. text, 0) end
        return text
      end
      local d <close> = open{codec = strict}
      d:set("a", "!a")
      d:set("b", "fine")
      local value, why, more = d:get("a")
      assert.is_nil(value)
      assert.matches("^cannot decode 'a' of shared data .*: it says !a$", why)
      assert.is_nil(more)
      assert.same({nil, why}, {d:update("a", function() error("never") end)})
      assert.same({nil, why}, {d:add("a", 1)})
      assert.matches("it says !a$", (select(2, d:wait("a", 0, PATIENCE))))
      local list = {}
      for name, shown, version in pairs(d) do list[name] = {shown, version} end
      assert.same({nil, why}, list.a)
      assert.equal("fine", list.b[1])
      assert.truthy(d:set("a", "good", true))
      assert.equal("good", d:get("a"))
    end)

    it("where the table of the codec lives as long as the handle", function()
      local d = open{codec = {encode = tostring, decode = tonumber}}
      waits.collect()
      d:set("x", 7)
      assert.equal(7, d:get("x"))
      d:close()
      d = nil -- luacheck: ignore 311
      waits.collect()
    end)
  end)

  describe("has a handle", function()
    it("that shows its state", function()
      local d = open()
      d:set("a", 1)
      assert.matches(engine.remote and "^ipc%.SharedData %(.*%)$" or "^ipc%.SharedData %(.*, 1 names%)$", tostring(d))
      local used, max_value = engine.data.used, engine.data.max_value
      assert.same({names = 1, size = engine.data.size, used = used, max_value = max_value, waiters = 0}, d:stat())
      d:close()
      d:close()
      assert.matches("^ipc%.SharedData %(.*, closed%)$", tostring(d))
      for _, call in ipairs{"get", "set", "add", "delete", "wait", "stat", "update"} do
        assert.error_matches(function() d[call](d, "x", 1) end, "shared data .* is closed")
      end
      for _, call in ipairs{"count", "clear", "remove"} do
        assert.error_matches(function() d[call](d) end, "shared data .* is closed")
      end
      assert.error_matches(function() for _ in pairs(d) do error() end end, "shared data .* is closed")
    end)

    it("with options that make sense", function()
      for _, options in ipairs{{size = 65535}, {size = 0}, {size = "big"}, {size = 1 << 41}, {mode = 8},
        {codec = "xml"}, {codec = {}}} do
        assert.error(function() ipc.shared_data(key(), options) end)
      end
      assert.error(function() ipc.shared_data("x") end)
      assert.error(function() ipc.shared_data(key(), 5) end)
    end)

    keyed("of the size that is there; another is refused, with both", function()
      local d <close> = open{size = 100000}
      local other <close> = open()
      assert.equal(100000, other:stat().size)
      local same <close> = open{size = 100000}
      local nothing, why, code = ipc.shared_data(key(), {size = 200000})
      assert.same({nil, EEXIST}, {nothing, code})
      assert.matches("has a size of 100000 bytes, not 200000", why)
      d:close()
      assert.equal(100000, same:stat().size)
    end)

    it("that is not another's of another key", function()
      local d <close> = open()
      local other <close> = assert(ipc.shared_data(engine.key()))
      d:set("x", 1)
      assert.is_nil(other:get("x"))
    end)

    it("that gives up what it has when it is collected", function()
      local function descriptors()
        local pipe <close> = assert(io.popen("ls -l /proc/$PPID/fd | grep -c ipclua"))
        return pipe:read("n")
      end
      open():close()
      waits.collect()
      local before = descriptors()
      for _ = 1, 20 do
        key = engine.key()
        open():set("x", 1)
        waits.collect()
      end
      assert.equal(before, descriptors())
    end)
  end)
end)
