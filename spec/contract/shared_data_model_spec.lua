-- SPDX-License-Identifier: MIT
-- Shared data beside a table in Lua: random sequences of everything that reads and changes, by two handles, also where
-- there is little room, and names that go at a time. Both have the same names, values and versions at each step. Names
-- that were set for a short time are let be until they have gone, which a wait tells: nothing depends on a clock.

local ipc = require "ipc"
local contract = require "spec.support.contract"
local rounds = require "spec.support.rounds"
local waits = require "spec.support.waits"

local PATIENCE = waits.PATIENCE
local SIZE <const>, NAMES <const> = 100000, 12
local STEPS <const> = {disk = 40, redis = 400}

contract.each(_ENV, "shared data beside a table", ipc.shared_data, function(engine, open, keyed)
  local there, short, last, handles

  local function name_of() return "name " .. string.char(96 + math.random(NAMES)) end

  local function value_of()
    return ("%d"):format(math.random(1 << 30)):rep(math.random(20) == 1 and 600 or math.random(5))
  end

  local function handle() return handles[math.random(#handles)] end

  -- What may be touched: not what goes at a time that nobody knows.
  local function pick()
    local name
    repeat name = name_of() until not short[name]
    return name
  end

  local function version_of(name) return there[name] and there[name].version or 0 end

  local function note(name, value, version)
    assert.is_true(version > last, "a version came twice")
    there[name], last = {value = value, version = version}, version
  end

  local function is_full(why, errno)
    assert.equal(28, errno, why)
  end

  local steps = {}

  function steps.get()
    local name = pick()
    local value, version = handle():get(name)
    assert.same(there[name] or {}, {value = value, version = version})
  end

  function steps.set()
    local name, value, check = pick(), value_of(), nil
    if math.random(2) == 1 then check = math.random(3) == 1 and math.random(0, 5) or version_of(name) end
    local options = math.random(3) == 1 and {ttl = 10000} or nil
    local version, why, errno = handle():set(name, value, check, options)
    if version then
      assert.is_true(not check or check == version_of(name))
      note(name, value, version)
    elseif why == "changed" then
      assert.is_true(check and check ~= version_of(name))
    else
      is_full(why, errno)
    end
  end

  function steps.short()
    local name = pick()
    local version, why, errno = handle():set(name, value_of(), nil, {ttl = math.random() / 1000})
    if not version then return is_full(why, errno) end
    assert.is_true(version > last)
    there[name], last = nil, version
    short[name] = version
  end

  function steps.gone()
    for name, version in pairs(short) do
      assert.same({nil, 0}, {handle():wait(name, version, PATIENCE)})
      assert.is_nil((handle():get(name)))
      assert.same({nil, "changed"}, {handle():set(name, "x", version)})
      short[name] = nil
    end
  end

  function steps.delete()
    local name = pick()
    local check = math.random(2) == 1 and version_of(name) or nil
    assert.equal(there[name] ~= nil, handle():delete(name, check))
    there[name] = nil
  end

  function steps.add()
    local name = pick()
    local n = there[name] and there[name].value
    if n and not math.type(n) then return end
    local sum, why, errno = handle():add(name, 5)
    if not sum then return is_full(why, errno) end
    assert.equal((n or 0) + 5, sum)
    local value, version = handle():get(name)
    note(name, value, version)
  end

  function steps.number()
    local name = pick()
    local version, why, errno = handle():set(name, math.random(1000))
    if not version then return is_full(why, errno) end
    note(name, (handle():get(name)), version)
  end

  function steps.change()
    local seen, writes = {}, {}
    for _ = 1, math.random(5) do seen[pick()] = true end
    for _ = 1, math.random(0, 5) do writes[pick()] = math.random(3) > 1 and value_of() or false end
    local meddled = math.random(4) == 1 and next(seen)
    local runs = 0
    local ok, why, errno = handle():change(function(change)
      runs = runs + 1
      for name in pairs(seen) do
        local value, version = change:get(name)
        assert.same(there[name] or {}, {value = value, version = version})
      end
      if runs == 1 and meddled then
        local version = handle():set(meddled, "meddled")
        if version then note(meddled, "meddled", version) end
      end
      for name, value in pairs(writes) do
        if value then change:set(name, value) else change:delete(name) end
      end
      return true
    end)
    if not ok then return is_full(why, errno) end
    local common
    for name, value in pairs(writes) do
      local _, version = handle():get(name)
      assert.equal(not value, version == nil)
      assert.is_true(not value or not common or common == version)
      common = common or version
      there[name] = value and {value = value, version = version} or nil
    end
    assert.is_true(not common or common > last)
    last = common or last
  end

  -- The names that are to be seen, in order; those that go are seen or not.
  local function compare(iterate)
    local names, before = {}, ""
    for name, value, version in iterate() do
      assert.is_true(name > before)
      before = name
      if not short[name] then
        names[name] = true
        assert.same(there[name], {value = value, version = version})
      end
    end
    for name in pairs(there) do assert.is_true(names[name], name .. " is not shown") end
  end

  function steps.each()
    local prefix = math.random(2) == 1 and "name " or nil
    compare(function() return handle():each(prefix) end)
  end

  function steps.pairs() compare(function() return pairs(handle()) end) end

  function steps.count()
    steps.gone()
    local count = 0
    for _ in pairs(there) do count = count + 1 end
    assert.same({count, count}, {handle():count(), handle():stat().names})
  end

  function steps.clear()
    if math.random(10) > 1 then return end
    steps.gone()
    local count = 0
    for _ in pairs(there) do count = count + 1 end
    assert.equal(count, handle():clear())
    there = {}
  end

  local kinds = {}
  for kind in pairs(steps) do kinds[#kinds + 1] = kind end
  table.sort(kinds)

  keyed("has the same at each step", function()
    local seed = tonumber(os.getenv("SEED")) or os.time()
    math.randomseed(seed)
    local d <close> = open{size = SIZE, codec = "json"}
    local other <close> = open{codec = "json"}
    there, short, last, handles = {}, {}, 0, {d, other}
    for n = 1, rounds(STEPS[engine.name] or (waits.SANITIZED and 500 or 3000)) do
      local kind = kinds[math.random(#kinds)]
      local ok, problem = xpcall(steps[kind], debug.traceback)
      if not ok then error(("seed %d, step %d, %s: %s"):format(seed, n, kind, tostring(problem)), 0) end
      local going = 0
      for _ in pairs(short) do going = going + 1 end
      if going > NAMES // 2 then steps.gone() end
    end
    steps.gone()
    steps.count()
  end)
end)
