-- SPDX-License-Identifier: MIT
-- A process is killed at a point of an operation on shared data on a disk: see disk_points_spec.lua. Whatever comes
-- after, all names have the values of before, or those of after, and one that waits for a name sees it.

local ipc = require "ipc"
local disk = require("spec.support.engines").disk
local kill_points = require "spec.support.kill_points"
local peer = require "spec.support.peer"
local waits = require "spec.support.waits"

local PATIENCE <const> = waits.PATIENCE
local IPCLUA <const> = os.getenv("IPCLUA") or "build/ipclua"
local LONG <const> = ("l"):rep(9000)

-- What a process does before its points are counted.
local OPEN <const> = [[
  local d = assert(ipc.shared_data(ipc.disk_key(os.getenv "FOLDER", "x"), {sync = "SYNC"}))
  d:get("a")
]]

describe("a process that dies at a point, with shared data on a disk #nosan", function()
  local template, folder, shift = nil, nil, 0

  before_each(function()
    template, folder = disk.folder() .. "/template", disk.folder() .. "/shop"
  end)
  after_each(disk.cleanup)
  teardown(peer.clean)

  local function open(path, sync)
    return assert(ipc.shared_data(ipc.disk_key(path, "x"), {sync = sync}))
  end

  local function renew(fill)
    assert(os.execute(("rm -rf %s"):format(template)))
    local d <close> = open(template)
    fill(d)
  end

  -- All that is there. What the dead one has begun is there from a change on.
  local function contents(d)
    local list = {}
    assert(d:set("more", 1))
    assert(d:delete("more"))
    for name, value in pairs(d) do
      list[#list + 1] = ("%s=%s"):format(name, type(value) == "string" and #value > 100 and "long" or value)
    end
    assert.equal(#list, d:count())
    table.sort(list)
    return table.concat(list, " ")
  end

  local function copy()
    assert(os.execute(("rm -rf %s && cp -r %s %s"):format(folder, template, folder)))
  end

  -- One process dies there, while this one has the folder open or has not. Returns what there is then, and whether it
  -- came to its end.
  local function try(case, sync, n, live)
    copy()
    local other = live and open(folder, sync)
    local survived = kill_points.run(folder, OPEN:gsub("SYNC", sync), case.act, n)
    local d <close> = other or open(folder, sync)
    local is = contents(d)
    kill_points.look(folder, true)
    d:close()
    kill_points.look(folder)
    return is, survived
  end

  local function each(case, before, after)
    renew(case.fill)
    for _, sync in ipairs{"each", "soon"} do
      local seen = {}
      local last, count = try(case, sync, 0, false)
      assert.equal(after, last)
      shift = shift + 1
      local function at(n, live)
        local is, survived = try(case, sync, n, live)
        seen[is] = true
        assert.is_true(is == after or is == before and not survived, ("%s at %d, %s, %s"):format(is, n, sync, live))
        return survived
      end
      if kill_points.each(count, 7 * shift, function(n) return at(n, n % 2 == 0) end) then
        kill_points.each(count, 0, function(n) return at(n, n % 2 == 1) end)
        assert.is_true(seen[before] and seen[after])
      end
    end
  end

  local function fill(d)
    assert(d:set("a", 1))
    assert(d:set("b", LONG))
  end

  it("has set a name, or not", function()
    each({fill = fill, act = "d:set('a', 2)"}, "a=1 b=long", "a=2 b=long")
    each({fill = fill, act = "d:set('c', 3, nil, {ttl = 3600})"}, "a=1 b=long", "a=1 b=long c=3")
    each({fill = fill, act = "d:set('a', ('x'):rep(20000))"}, "a=1 b=long", "a=long b=long")
  end)

  it("has deleted a name, or not", function()
    each({fill = fill, act = "d:delete('a')"}, "a=1 b=long", "b=long")
    each({fill = fill, act = "d:delete('b')"}, "a=1 b=long", "a=1")
  end)

  it("has changed all the names, or none", function()
    each({
      fill = fill,
      act = "d:change(function(t) t:set('c', (t:get('a'))) t:set('a', 2) t:delete('b') end)",
    }, "a=1 b=long", "a=2 c=1")
  end)

  it("has deleted all the names, or none", function()
    each({fill = fill, act = "d:clear()"}, "a=1 b=long", "")
  end)

  it("has removed what is gone, or not: it is not there in both cases", function()
    each({
      fill = function(d)
        d:set("a", 1)
        d:set("gone", 1, nil, {ttl = 0.001})
        while d:get("gone") do ipc.sleep(0.001) end
      end,
      act = "d:set('b', 2)",
    }, "a=1", "a=1 b=2")
  end)

  -- What a program sees that comes now. It disturbs nothing.
  local function seen()
    local code = ([[io.write((require "ipc".shared_data(require "ipc".disk_key("%s", "x")):get("a")))]]):format(folder)
    return tonumber(peer.output(("%s -e '%s'"):format(IPCLUA, code)))
  end

  it("leaves none waiting for a change that it made", function()
    renew(fill)
    for _, sync in ipairs{"each", "soon"} do
      shift = shift + 1
      local function try_waiting(n)
        copy()
        local d <close> = open(folder, sync)
        local _, version = d:get("a")
        local waiter
        local survived = kill_points.run(folder, OPEN:gsub("SYNC", sync), "d:set('a', 2)", n, function()
          waiter = waits.waiting(function() return (d:wait("a", version, PATIENCE)) end)
        end)
        if seen() == 2 then
          assert.same({true, 2}, {waiter:join(PATIENCE)}, ("%s at %d"):format(sync, n))
        else
          assert(d:set("a", 3))
          assert.same({true, 3}, {waiter:join(PATIENCE)}, ("%s at %d"):format(sync, n))
        end
        return survived
      end
      kill_points.each(try_waiting(0), 7 * shift, try_waiting)
    end
  end)
end)
