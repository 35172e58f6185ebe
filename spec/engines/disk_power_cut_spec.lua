-- SPDX-License-Identifier: MIT
-- A power cut, and a death, at every write and sync of a program that changes shared data on a disk: what it had said
-- is there, and of what it was about to say all or nothing (spec/support/power_cut.lua).

local ipc = require "ipc"
local disk = require("spec.support.engines").disk
local peer = require "spec.support.peer"
local power_cut = require "spec.support.power_cut"
local rounds = require "spec.support.rounds"

-- Tasks that set a name each to 1, 2, 3 and so on, and say so; some values are too large for a record.
local CODE <const> = [[
  local ipc = require "ipc"
  io.stdout:setvbuf("no")
  local d = assert(ipc.shared_data(ipc.disk_key(os.getenv "FOLDER", "x")))
  for t = 1, 3 do
    ipc.task(function()
      for i = 1, 6 do
        assert(d:set("name " .. t, {i, ("x"):rep(i % 4 == t and 9000 or 10 * i)}))
        print("name " .. t, i)
        if i % 3 == 0 then d:delete("other " .. t) else assert(d:set("other " .. t, i)) end
      end
    end)
  end
  ipc.run()
]]

local OPEN <const> = [[
  local ipc = require "ipc"
  local d = assert(ipc.shared_data(ipc.disk_key(os.getenv "FOLDER", "x")))
  assert(d:set("more", 1))
]]

describe("a disk that loses what was not synced #nosan", function()
  after_each(disk.cleanup)
  teardown(peer.clean)

  local function said(lines)
    local last = {}
    for _, line in ipairs(lines) do
      local name, i = line:match("^(name %d)\t(%d+)$")
      if name then last[name] = tonumber(i) end
    end
    return last
  end

  -- The folder has what was said, and can be gone on with.
  local function check(folder, last, where)
    if not power_cut.exists(folder) then return end -- it came to its end before that
    local d <close> = assert(ipc.shared_data(ipc.disk_key(folder, "x")), where)
    for t = 1, 3 do
      local name = "name " .. t
      local value, version = d:get(name)
      local i, told = value and value[1] or 0, last[name] or 0
      assert.is_true(i == told or i == told + 1, ("%s: %s is %d after %d, %s"):format(where, name, i, told, version))
    end
    for name, value, why in pairs(d) do assert.is_truthy(value, ("%s: %s: %s"):format(where, name, why)) end
    for i = 1, 3 do assert.is_truthy(d:set("more", i)) end
  end

  it("has what was said before a power cut, and nothing half", function()
    local base = disk.folder()
    local count = power_cut.count(base .. "/shop", CODE)
    assert.is_true(count > 60)
    for at = 1, count do
      for seed = 1, rounds(1) do
        local where = ("at %d, seed %d"):format(at, seed)
        assert(os.execute(("rm -rf %s/shop"):format(base)))
        check(base .. "/left", said(power_cut.cut(base .. "/shop", CODE, at, seed * 1000 + at, base .. "/left")), where)
      end
    end
  end)

  it("has it when the power is cut again, while the first process puts it in order", function()
    local base = disk.folder()
    local count = power_cut.count(base .. "/shop", CODE)
    for at = 20, count, 17 do
      assert(os.execute(("rm -rf %s/shop"):format(base)))
      local last = said(power_cut.cut(base .. "/shop", CODE, at, at, base .. "/left"))
      for again = 1, power_cut.exists(base .. "/left") and 12 or 0 do
        local where = ("at %d, again at %d"):format(at, again)
        assert(os.execute(("rm -rf %s/second; cp -r %s/left %s/second"):format(base, base, base)))
        power_cut.cut(base .. "/second", OPEN, again, at, base .. "/third")
        check(base .. "/third", last, where)
      end
    end
  end)

  it("has it when the process is killed at any write, and the machine goes on", function()
    local base = disk.folder()
    local count = power_cut.count(base .. "/shop", CODE)
    for at = 1, count, 3 do
      assert(os.execute(("rm -rf %s/shop"):format(base)))
      check(base .. "/shop", said(power_cut.run(base .. "/shop", CODE, {AT = at})), "killed at " .. at)
    end
  end)
end)

-- A task that sets one name after the other, and another one in between that waits for the disk.
local SOON <const> = [[
  local ipc = require "ipc"
  io.stdout:setvbuf("no")
  local d = assert(ipc.shared_data(ipc.disk_key(os.getenv "FOLDER", "x"), {sync = "soon"}))
  local e = assert(ipc.shared_data(ipc.disk_key(os.getenv "FOLDER", "each")))
  for i = 1, 24 do
    assert(d:set("a", i))
    assert(d:set("b", {i, ("x"):rep(i % 5 == 0 and 9000 or 10)}))
    print("set", i)
    if i == 12 then
      ipc.sleep(1)
      print("safe", i)
    elseif i == 18 then
      assert(e:set("x", i))
      print("safe", i)
    end
  end
]]

describe("a disk that is not waited for #nosan", function()
  after_each(disk.cleanup)
  teardown(peer.clean)

  -- All until some moment is there, and what was said a second before, or waited for.
  local function check(folder, lines, where)
    if not power_cut.exists(folder) then return end
    local said = {set = 0, safe = 0}
    for _, line in ipairs(lines) do
      local word, i = line:match("^(%a+)\t(%d+)$")
      if word then said[word] = tonumber(i) end
    end
    local d <close> = assert(ipc.shared_data(ipc.disk_key(folder, "x"), {sync = "soon"}), where)
    local a, b = d:get("a") or 0, (d:get("b") or {0})[1]
    assert.is_true(a == b or a == b + 1, ("%s: %d and %d"):format(where, a, b))
    local told = ("%s: %d, safe %d, set %d"):format(where, b, said.safe, said.set)
    assert.is_true(b >= said.safe and a <= said.set + 1, told)
    local e <close> = assert(ipc.shared_data(ipc.disk_key(folder, "each")))
    assert.is_true((e:get("x") or 0) >= (said.safe == 18 and 18 or 0), where)
    for i = 1, 3 do assert(d:set("more", i) and e:set("more", i)) end
    return said.set - b
  end

  it("loses no more than a second by a power cut, and never the order", function()
    local base = disk.folder()
    local count, lost = power_cut.count(base .. "/count", SOON), 0
    for at = 2, count, count // rounds(12) do
      assert(os.execute(("rm -rf %s/shop"):format(base)))
      local lines = power_cut.cut(base .. "/shop", SOON, at, at, base .. "/left")
      lost = math.max(lost, check(base .. "/left", lines, "at " .. at) or 0)
    end
    assert.is_true(lost > 2) -- it was not waited for
  end)

  it("loses nothing when processes are killed and the machine goes on", function()
    local base = disk.folder()
    local count = power_cut.count(base .. "/count", SOON)
    for at = 2, count, count // rounds(5) do
      assert(os.execute(("rm -rf %s/shop"):format(base)))
      local lost = check(base .. "/shop", power_cut.run(base .. "/shop", SOON, {AT = at}), "killed at " .. at)
      assert.is_true((lost or 0) <= 0)
    end
  end)
end)
