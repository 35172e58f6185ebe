-- SPDX-License-Identifier: MIT
-- What shared data promises on every engine where no wait is needed: names, values, versions, numbers.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local ENOSPC, EMSGSIZE = 28, 90
local PATIENCE = waits.PATIENCE

contract.each(_ENV, "shared data", ipc.shared_data, function(_, open, keyed)
  -- what a child says of it, with the inherited handle
  local function elsewhere(fn)
    local child <close> = assert(ipc.process(function(channel) channel:send{fn()} end))
    return table.unpack((assert(child.channel:receive(PATIENCE))))
  end

  describe("has values by name:", function()
    it("what was set is got, here and in another process", function()
      local d <close> = open()
      local value = {text = "hello", list = {1, 2.5, true, ipc.null}}
      assert.is_nil(d:get("x"))
      local version = d:set("x", value)
      assert.equal("integer", math.type(version))
      assert.same({value, version}, {d:get("x")})
      assert.same({value, version}, {elsewhere(function() return d:get("x") end)})
      local later = elsewhere(function() return d:set("x", false) end)
      assert.is_true(later > version)
      assert.same({false, later}, {d:get("x")})
    end)

    keyed("another handle of the key has the same", function()
      local d <close> = open()
      local other <close> = open()
      d:set("x", 1)
      assert.equal(1, other:get("x"))
      other:set("x", 2)
      assert.equal(2, d:get("x"))
      assert.is_true(elsewhere(function()
        local third <close> = open()
        return third:get("x") == 2 and third:set("x", 3) ~= nil
      end))
      assert.equal(3, d:get("x"))
    end)

    keyed("they stay when no process has it open", function()
      local d = open()
      local version = d:set("x", "still there")
      d:close()
      d = open()
      assert.same({"still there", version}, {d:get("x")})
      assert.is_true(d:set("y", 1) > version)
      d:close()
    end)

    it("a name is any string of 1 to 511 bytes", function()
      local d <close> = open()
      local names = {"a", "\0", "a\0", "\0\0", "A", "\xff\xfe", ("n"):rep(511), " ", "a/b", "ä"}
      for i, name in ipairs(names) do assert.truthy(d:set(name, i, 0)) end
      for i, name in ipairs(names) do assert.equal(i, d:get(name)) end
      assert.equal(#names, d:count())
      for _, name in ipairs{"", ("n"):rep(512)} do
        for _, call in ipairs{"get", "set", "add", "delete", "wait", "update"} do
          assert.error_matches(function() d[call](d, name, 1, 1) end,
            "name must have from 1 to 511 bytes, got " .. #name)
        end
      end
      assert.error_matches(function() d:get(nil) end, "string expected")
      assert.error_matches(function() d:get({}) end, "string expected")
    end)

    it("delete says whether there was one", function()
      local d <close> = open()
      d:set("x", 1)
      assert.is_true(d:delete("x"))
      assert.is_false(d:delete("x"))
      assert.is_nil(d:get("x"))
      assert.equal(0, d:count())
    end)

    it("nil is no value", function()
      local d <close> = open()
      assert.error_matches(function() d:set("x", nil) end, "value expected")
      assert.error_matches(function() d:set("x") end, "value expected")
      assert.equal(0, d:count())
    end)
  end)

  describe("has versions:", function()
    it("every set gives a new one, a deleted name never gets an old one again", function()
      local d <close> = open()
      local last, seen = 0, {}
      for i = 1, 50 do
        local version = d:set(i % 3 == 0 and "x" or "y", i)
        assert.is_true(version > last)
        last = version
        if i % 7 == 0 then d:delete("x") end
        assert.is_nil(seen[version])
        seen[version] = true
      end
      d:set("x", 1)
      local old = select(2, d:get("x"))
      d:delete("x")
      d:set("x", 1)
      assert.same({nil, "changed"}, {d:set("x", 2, old)})
      assert.equal(1, d:get("x"))
    end)

    it("with a version, set is refused when there is another", function()
      local d <close> = open()
      local one = d:set("x", 1)
      local two = d:set("x", 2, one)
      assert.same({nil, "changed"}, {d:set("x", 3, one)})
      assert.same({nil, "changed"}, {d:set("x", 3, two + 1)})
      assert.same({2, two}, {d:get("x")})
      assert.truthy(d:set("x", 3, two))
      assert.same({nil, "changed"}, {d:set("y", 3, two)})
      assert.is_nil(d:get("y"))
    end)

    it("with 0, only if it is not there", function()
      local d <close> = open()
      local version = d:set("x", 1, 0)
      assert.same({nil, "changed"}, {d:set("x", 2, 0)})
      assert.same({1, version}, {d:get("x")})
      d:delete("x")
      assert.truthy(d:set("x", 3, 0))
    end)

    it("with true, if it is what this handle last got", function()
      local d <close> = open()
      assert.truthy(d:set("x", 1, true)) -- it never got one, and there was none
      assert.same({nil, "changed"}, {d:set("x", 2, true)}) -- it never got this one
      assert.equal(1, d:get("x"))
      assert.truthy(d:set("x", 2, true))
      assert.same({nil, "changed"}, {d:set("x", 3, true)}) -- it got the one before
      assert.equal(2, d:get("x"))
      elsewhere(function() d:set("x", 4) end)
      assert.same({nil, "changed"}, {d:set("x", 3, true)})
      d:delete("x")
      assert.is_nil(d:get("x"))
      assert.truthy(d:set("x", 5, true)) -- it got that there is none
      d:get("x")
      d:delete("x")
      assert.same({nil, "changed"}, {d:set("x", 6, true)})
    end)

    it("the check is true, false, nil or a version", function()
      local d <close> = open()
      assert.truthy(d:set("x", 1, nil))
      assert.truthy(d:set("x", 2, false))
      for _, check in ipairs{"1", 1.5, -1, {}} do
        assert.error(function() d:set("x", 3, check) end)
      end
      assert.equal(2, d:get("x"))
    end)
  end)

  describe("is updated by a function", function()
    it("of the value, which is nil if there is none", function()
      local d <close> = open()
      assert.equal("nil!", d:update("x", function(value) return tostring(value) .. "!" end))
      assert.equal("nil!!", d:update("x", function(value) return value .. "!" end))
      assert.equal("nil!!", d:get("x"))
    end)

    it("that is called again when something came between", function()
      local d <close> = open()
      d:set("x", 1)
      local given = {}
      assert.equal(30, d:update("x", function(value)
        given[#given + 1] = value
        if #given < 3 then d:set("x", value * 2) end
        if #given == 3 then d:delete("x") d:set("x", value) end -- the same value, but it is another
        if #given == 4 then ipc.sleep(0.001) end
        return value + 26
      end))
      assert.same({1, 2, 4, 4}, given)
    end)

    it("that may wait, while others go on", function()
      local d <close> = open()
      local gate <close> = ipc.queue(ipc.private)
      local t = ipc.task(function()
        return d:update("x", function(value)
          if not value then gate:receive() end
          return (value or 0) + 1
        end)
      end)
      waits.settle()
      d:set("x", 10)
      gate:send(1, "go on")
      assert.same({true, 11}, {t:join(PATIENCE)})
      assert.equal(7, d:update("y", function() ipc.yield() return 7 end))
    end)

    it("whose error passes, and nothing is written", function()
      local d <close> = open()
      d:set("x", 1)
      assert.error_matches(function() d:update("x", function() error("no!") end) end, "no!")
      assert.error_matches(function() d:update("x", function() return print end) end, "cannot encode")
      assert.equal(1, d:get("x"))
      assert.error(function() d:update("x", 5) end)
    end)

    it("that deletes by returning nil", function()
      local d <close> = open()
      d:set("x", 1)
      assert.is_nil(d:update("x", function() return nil end))
      assert.equal(0, d:count())
      assert.is_nil(d:update("x", function(value) return value end))
    end)

    it("without a change to what the handle last got", function()
      local d <close> = open()
      d:set("x", 1)
      d:get("x")
      d:update("x", function(value) return value + 1 end)
      assert.same({nil, "changed"}, {d:set("x", 9, true)})
    end)
  end)

  describe("adds", function()
    it("as Lua does, from 0", function()
      local d <close> = open{codec = "lua"}
      assert.equal(5, d:add("n", 5))
      assert.equal(3, d:add("n", -2))
      assert.equal("integer", math.type(d:get("n")))
      assert.equal(3.5, d:add("n", 0.5))
      assert.equal("float", math.type(d:get("n")))
      d:set("n", math.maxinteger)
      assert.equal(math.mininteger, d:add("n", 1))
      assert.equal(0.1 + 0.2, (d:add("f", 0.1) and d:add("f", 0.2)))
    end)

    it("only numbers, and says what it found", function()
      local d <close> = open()
      d:set("s", "5")
      d:set("t", {1})
      assert.error_matches(function() d:add("s", 1) end, "'s' of shared data .* is a string, not a number")
      assert.error_matches(function() d:add("t", 1) end, "'t' of shared data .* is a table, not a number")
      assert.error_matches(function() d:add("n", "1") end, "number expected")
      assert.same({"5", 2}, {d:get("s"), d:count()})
    end)
  end)

  describe("that is full", function()
    it("says so, keeps what it has, and has room again after a delete", function()
      local d <close> = open{size = 65536, codec = "raw"}
      for _, length in ipairs{1, 500, 3000, 16000} do
        local count = 0
        repeat
          local ok, why, code = d:set(length .. " " .. count, ("x"):rep(length))
          if ok then count = count + 1 else
            assert.equal(ENOSPC, code)
            assert.matches("^shared data .* is full: size=65536: ", why)
          end
        until not ok
        assert.is_true(count * (length + 30) > 20000)
        assert.equal(count, d:count())
        assert.truthy(d:set(length .. " 0", "")) -- no more than before
        for i = count - 1, 0, -1 do assert.is_true(d:delete(length .. " " .. i)) end
        assert.equal(0, d:count())
      end
    end)

    it("can be changed for ever", function()
      local d <close> = open{size = 65536, codec = "raw"}
      for i = 1, 3000 do
        local ok, _, code = d:set("name " .. i * 7 % 100, ("x"):rep(i * 31 % 3000))
        if not ok then
          assert.equal(ENOSPC, code)
          assert.is_boolean(d:delete("name " .. i * 13 % 100))
        end
      end
    end)

    it("refuses a value over a quarter of its size at once", function()
      local d <close> = open{size = 65536, codec = "raw"}
      local most = d:stat().max_value
      assert.truthy(d:set("x", ("x"):rep(most)))
      local ok, why, code = d:set("y", ("x"):rep(most + 1))
      assert.same({nil, EMSGSIZE}, {ok, code})
      assert.matches(("value of %d bytes is over the limit of %d bytes"):format(most + 1, most), why)
      assert.equal(("x"):rep(most), d:get("x"))
    end)
  end)
end)
