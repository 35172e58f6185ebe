-- SPDX-License-Identifier: MIT
-- What shared data promises on every engine of a loop over a snapshot, and of deleting.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE

contract.each(_ENV, "shared data", ipc.shared_data, function(_, open, keyed)
  local function names_of(d, prefix)
    local names = {}
    for name in d:each(prefix) do names[#names + 1] = name end
    return names
  end

  describe("is gone through by each,", function()
    it("in the order of the bytes, with values and versions", function()
      local d <close> = open()
      local versions = {}
      for _, name in ipairs{"b", "a", "\xff", "aa", "B", "a\0"} do versions[name] = d:set(name, {"of " .. name}) end
      local list = {}
      for name, value, version in d:each() do
        assert.same({{"of " .. name}, versions[name]}, {value, version})
        list[#list + 1] = name
      end
      assert.same({"B", "a", "a\0", "aa", "b", "\xff"}, list)
    end)

    it("only what begins with the prefix", function()
      local d <close> = open{codec = "raw"}
      local longest = ("\xff"):rep(510)
      local names = {"a", "a1", "a\0", "a\xff", "a\xff\xff", "b", "\xff\xff", longest .. "a"}
      for _, name in ipairs(names) do d:set(name, "") end
      assert.same({"a", "a\0", "a1", "a\xff", "a\xff\xff"}, names_of(d, "a"))
      assert.same({"a\xff", "a\xff\xff"}, names_of(d, "a\xff"))
      assert.same({"\xff\xff", longest .. "a"}, names_of(d, "\xff"))
      assert.same({longest .. "a"}, names_of(d, longest))
      assert.same({}, names_of(d, "aa"))
      assert.same({}, names_of(d, longest .. "b"))
      assert.equal(8, #names_of(d, ""))
      assert.error_matches(function() d:each(("n"):rep(512)) end, "prefix has more bytes than a name")
      assert.error_matches(function() d:each{} end, "string expected")
    end)

    it("as it was when the loop began, whatever is changed in it", function()
      local d <close> = open()
      for i = 1, 300 do d:set(("%04d"):format(i), i) end
      local seen = 0
      for name, value in d:each() do
        seen = seen + 1
        assert.same({("%04d"):format(seen), seen}, {name, value})
        d:delete(("%04d"):format(301 - seen))
        d:set(("%04d"):format(seen + 1), -1)
        d:set(("%04d x"):format(seen), -1)
        if seen == 100 then ipc.sleep(0.001) end
        if seen == 200 then d:clear() end
      end
      assert.equal(300, seen)
    end)

    it("never half of what another process changes as one", function()
      local d <close> = open()
      d:set("a", 0)
      d:set("z", 0)
      local child <close> = assert(ipc.process(function(channel)
        for i = 1, 300 do -- "a" is never behind "z", and at most one before it
          d:set("a", i)
          d:set("z", i)
        end
        channel:send("done")
      end))
      local done = ipc.task(function() return child.channel:receive(PATIENCE) end)
      repeat
        local value = {}
        for name, n in d:each() do value[name] = n end
        assert.is_true(value.a - value.z == 0 or value.a - value.z == 1, value.a .. " " .. value.z)
        ipc.yield()
      until done:status() ~= "waiting" and done:status() ~= "ready"
      assert.same({true, "done"}, {done:join()})
    end)

    it("of which there may be none", function()
      local d <close> = open()
      assert.same({}, names_of(d))
      assert.same({}, names_of(d, "x"))
    end)

    it("many times at once, left early, thrown away, and after the handle is closed", function()
      local d = open{codec = "raw"}
      for i = 1, 20 do d:set("x" .. i, ("v"):rep(i * 500)) end
      for _ = 1, 20 do
        for name in d:each() do if name == "x1" then break end end
        d:each()
      end
      waits.collect()
      pcall(function() for _ in d:each() do error("out") end end)
      local next_a, a = d:each()
      local next_b, b = d:each("x2")
      assert.equal("x1", (next_a(a)))
      assert.equal("x2", (next_b(b)))
      assert.equal("x10", (next_a(a)))
      local left = {}
      for name, value in d:each("x1") do
        if name == "x12" then d:close() end
        left[#left + 1] = name .. #value
      end
      assert.equal("x1500 x105000 x115500 x126000", table.concat(left, " ", 1, 4))
      assert.equal(11, #left)
      assert.equal("x20", (next_b(b)))
      assert.is_nil(next_b(b))
      assert.is_nil(next_b(b))
      b:close()
      b:close()
      assert.is_nil(next_b(b))
      assert.error_matches(function() d:each() end, "shared data .* is closed")
    end)

    it("and what was shown counts as got", function()
      local d <close> = open()
      d:set("x", 1)
      for name, value in d:each() do assert.truthy(d:set(name, value + 1, true)) end
      assert.equal(2, d:get("x"))
      for name, value in d:each() do
        d:set(name, value + 1)
        assert.same({nil, "changed"}, {d:set(name, value + 1, true)})
      end
    end)

    it("and what cannot be decoded is nil and why", function()
      local strict = {encode = function(text) return text end}
      function strict.decode(text)
        if text == "bad" then error("it is bad", 0) end
        return text
      end
      local d <close> = open{codec = strict}
      d:set("a", "bad")
      d:set("b", "good")
      local list = {}
      for name, value, version in d:each() do list[name] = {value, version} end
      assert.is_nil(list.a[1])
      assert.matches("^cannot decode 'a' of shared data .*: it is bad$", list.a[2])
      assert.equal("good", list.b[1])
    end)

    keyed("and it raises when the data was removed", function()
      local d <close> = open()
      local other <close> = open()
      other:remove()
      assert.error_matches(function() d:each() end, "shared data .*: removed")
    end)
  end)

  describe("deletes a name", function()
    it("if it has the version", function()
      local d <close> = open()
      local one = d:set("x", 1)
      local two = d:set("x", 2)
      assert.same({nil, "changed"}, {d:delete("x", one)})
      assert.same({nil, "changed"}, {d:delete("x", 0)})
      assert.equal(2, d:get("x"))
      assert.is_true(d:delete("x", two))
      assert.same({nil, "changed"}, {d:delete("x", two)})
      assert.is_false(d:delete("x", 0))
      assert.is_false(d:delete("x"))
      assert.error_matches(function() d:delete("x", "1") end, "check must be true, or a version")
    end)

    it("with true, if it is what the handle last got", function()
      local d <close> = open()
      d:set("x", 1)
      assert.same({nil, "changed"}, {d:delete("x", true)})
      d:get("x")
      d:set("x", 2)
      assert.same({nil, "changed"}, {d:delete("x", true)})
      d:get("x")
      assert.is_true(d:delete("x", true))
      assert.same({nil, "changed"}, {d:delete("x", true)})
      d:get("x")
      assert.is_false(d:delete("x", true))
    end)
  end)

  describe("is cleared", function()
    it("of all names, and says how many; no version comes again", function()
      local d <close> = open()
      assert.equal(0, d:clear())
      local last
      for i = 1, 100 do last = d:set("x" .. i, ("v"):rep(i * 50)) end
      assert.equal("x1", (pairs(d)(d)))
      assert.equal(100, d:clear())
      assert.same({0, {}}, {d:count(), names_of(d)})
      for name in pairs(d) do error(name) end
      assert.is_nil(d:get("x1"))
      assert.is_true(d:set("x1", 1) > last)
      assert.equal(1, d:clear())
    end)

    it("and ends every wait for what was there", function()
      local d <close> = open()
      local tasks = {}
      for i = 1, 70 do
        local version = d:set("x" .. i, i)
        tasks[i] = waits.waiting(function() return d:wait("x" .. i, version, PATIENCE) end)
      end
      local none = waits.waiting(function() return d:wait("y", 0, PATIENCE) end)
      local child <close> = assert(ipc.process(function(channel)
        local _, version = d:get("x1")
        channel:send("here")
        channel:send{d:wait("x1", version, PATIENCE)}
      end))
      assert.equal("here", child.channel:receive(PATIENCE))
      assert.equal(70, d:clear())
      for i = 1, 70 do assert.same({true, nil, 0}, {tasks[i]:join(PATIENCE)}) end
      assert.same({ipc.null, 0}, child.channel:receive(PATIENCE))
      local version = d:set("y", "now")
      assert.same({true, "now", version}, {none:join(PATIENCE)})
    end)

    it("when it is full, and has all of its room again", function()
      local d <close> = open{size = 65536, codec = "raw"}
      local function fill()
        local count = 0
        while d:set("name " .. count, ("x"):rep(1500)) do count = count + 1 end
        return count
      end
      local first = fill()
      for _ = 1, 10 do
        assert.equal(first, d:clear())
        local count = fill()
        assert.is_true(count >= first - 1 and count <= first + 1, count .. " of " .. first)
        first = count
      end
    end)
  end)
end)
