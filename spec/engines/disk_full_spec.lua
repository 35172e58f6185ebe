-- SPDX-License-Identifier: MIT
-- A disk without room, and one that can only be read: a file system of this spec's own.

local disk = require("spec.support.engines").disk
local shell = require "spec.support.shell"

local ENOSPC <const>, EROFS <const> = 28, 30
local IPCLUA = os.getenv("IPCLUA") or "build/ipclua"

describe("a disk", function()
  after_each(disk.cleanup)

  -- What code prints that finds a folder on a file system of `size` in $FOLDER; `before`: commands.
  local function on(size, code, before)
    local folder = disk.folder()
    local command = ("mount -t tmpfs -o size=%s none %s && mkdir -m 700 %s/shop && %s FOLDER=%s/shop %s -e '%s' 2>&1")
      :format(size, folder, folder, before or "", folder, IPCLUA, code)
    return shell.output(("unshare -m sh -c %s"):format("'" .. command:gsub("'", "'\\''") .. "'"))
  end

  local function may_mount()
    return os.execute("unshare -m mount -t tmpfs none /mnt 2>/dev/null")
  end

  it("that is full says so, and lets data be deleted; then there is room again", function()
    if not may_mount() then return pending("this user may not mount a file system") end
    local text = on("6m", [[
      local ipc = require "ipc"
      local d = assert(ipc.shared_data(ipc.disk_key(os.getenv "FOLDER"), {codec = "raw"}))
      local function fill()
        for i = 0, math.huge do
          local ok, why, code = d:set("n" .. i, ("x"):rep(700))
          if not ok then return i, why, code end
        end
      end
      local first, why, code = fill()
      print(first > 500, why, code)
      for _ = 1, 3 do
        for i = 0, d:count() - 1 do assert(d:delete("n" .. i)) end
        local again = fill()
        print(d:count() == again, again > first * 0.3)
      end
      assert(d:clear())
      print(d:set("next", "x"))]])
    local full = ("true\tshared data disk:%s/shop?name=main: the disk has no room\t%d\n"):format(disk.folder(), ENOSPC)
    assert.matches("^" .. full:gsub("%p", "%%%0") .. ("true\ttrue\n"):rep(3) .. "%d+\n$", text)
  end)

  it("that is full lets jobs be taken and done", function()
    if not may_mount() then return pending("this user may not mount a file system") end
    local text = on("6m", [[
      local ipc = require "ipc"
      local q = assert(ipc.queue(ipc.disk_key(os.getenv "FOLDER"), {codec = "raw"}))
      local sent, ok, why, code = -1
      repeat
        sent = sent + 1
        ok, why, code = q:send(1, ("x"):rep(700), 5)
      until not ok
      print(sent > 500, code)
      local done = 0
      for i = 1, sent do
        local job = assert(q:take(nil, 0), why)
        if i % 3 == 0 then assert(job:release()) else
          assert(job:done())
          done = done + 1
        end
      end
      while #q > 0 do
        assert(assert(q:take(nil, 0)):done())
        done = done + 1
      end
      print(done == sent, #q)
      print(q:send(1, "again", 5))]])
    assert.equal("true\t" .. ENOSPC .. "\ntrue\t0\ntrue\n", text)
  end)

  it("that has no room at all, or can only be read, has no folder", function()
    if not may_mount() then return pending("this user may not mount a file system") end
    local code = [[print(require "ipc".shared_data(ipc.disk_key(os.getenv "FOLDER")))]]
    code = code:gsub("ipc%.disk_key", 'require "ipc".disk_key')
    local nothing = "nil\tshared data disk:" .. disk.folder() .. "/shop?name=main: "
    local text = on("8k", code)
    assert.matches("^nil\t.*no room.*\t" .. ENOSPC .. "\n$", text)
    text = on("1m", code, "mount -o remount,ro " .. disk.folder() .. " &&")
    assert.equal(nothing .. ("the file system of %s/shop can only be read\t%d\n"):format(disk.folder(), EROFS), text)
  end)
end)
