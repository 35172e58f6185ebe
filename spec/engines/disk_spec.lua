-- SPDX-License-Identifier: MIT
-- The folder of a disk key: how it is made, which folders are refused, and that what is in it stays.

local ipc = require "ipc"
local disk = require("spec.support.engines").disk
local peer = require "spec.support.peer"
local shell = require "spec.support.shell"

local ENOENT, EACCES, ENOTDIR, EINVAL, ENOTSUP = 2, 13, 20, 22, 95
local PATIENCE <const> = 20
local IPCLUA = os.getenv("IPCLUA") or "build/ipclua"

describe("the folder of a disk key", function()
  local key, path
  before_each(function()
    path = disk.folder() .. "/shop"
    key = ipc.disk_key(path, "spec")
  end)
  after_each(disk.cleanup)
  teardown(peer.clean)

  local function fails(code, pattern, ...)
    local data, why, number = ipc.shared_data(...)
    assert.is_nil(data)
    assert.matches(pattern, why)
    assert.equal(code, number, why)
  end

  it("is made for its owner alone, with LMDB's two files and one of ours", function()
    assert(ipc.shared_data(key)):close()
    assert.equal("700\n", shell.output("stat -c %a " .. path))
    assert.equal("600 control\n600 data.mdb\n600 lock.mdb\n", shell.output("cd " .. path .. " && stat -c '%a %n' *"))
  end)

  it("is not made below one that is not there", function()
    fails(ENOENT, "there is no folder in which .*/none/shop could be made", ipc.disk_key(disk.folder() .. "/none/shop"))
  end)

  it("is a folder", function()
    assert(io.open(path, "w")):close()
    fails(ENOTDIR, "shop is not a folder", key)
  end)

  it("is refused if other users may write to it", function()
    for _, mode in ipairs{"770", "702", "777"} do
      assert(os.execute(("mkdir -p %s && chmod %s %s"):format(path, mode, path)))
      fails(EACCES, "other users may write to the folder .*shop: chmod go%-w", key)
    end
    assert(os.execute("chmod 755 " .. path))
    assert(ipc.shared_data(key)):close()
  end)

  it("is refused if it is another user's", function()
    if not os.execute("[ $(id -u) = 0 ]") then return pending("this is not root") end
    assert(os.execute(("mkdir %s && chown 65534 %s"):format(path, path)))
    fails(EACCES, "the folder .*shop belongs to another user", key)
  end)

  -- What a program of a user without rights says of its folder, after commands in the folder above it.
  local function said_to_stranger(commands, folder)
    local base = disk.folder() .. "/all"
    local code = 'local q, why = require "ipc".queue("disk:" .. arg[1]) print(why)'
    local file <close> = assert(io.open(disk.folder() .. "/q.lua", "w"))
    file:write(code)
    file:close()
    assert(os.execute(([[chmod 755 %s && mkdir -m 777 %s && install -m 755 %s %s/ipclua]]):format(disk.folder(), base,
      IPCLUA, base)))
    local stranger = "setpriv --reuid=65534 --regid=65534 --clear-groups sh -c '%s && ./ipclua ../q.lua %s' 2>&1"
    local text = shell.output(("cd %s && "):format(base) .. stranger:format(commands, folder))
    assert(os.execute("rm -rf " .. base))
    return (text:gsub(base, "BASE"))
  end

  it("says which right is missing, and where", function()
    if not os.execute("[ $(id -u) = 0 ] && setpriv --reuid=65534 true 2>/dev/null") then
      return pending("this is not root")
    end
    local used = "./ipclua ../q.lua d >/dev/null && "
    for command, why in pairs{
      ["mkdir -m 300 d"] = "its owner lacks a right: chmod u+rwx BASE/d",
      ["mkdir -m 500 d"] = "its owner lacks a right: chmod u+rwx BASE/d",
      [used .. "chmod 400 d/control"] = "its owner lacks a right: chmod u+rw BASE/d/control",
      [used .. "chmod 0 d/data.mdb"] = "its owner lacks a right: chmod u+rw BASE/d/*.mdb",
      [used .. "chmod 0 d/lock.mdb"] = "its owner lacks a right: chmod u+rw BASE/d/*.mdb",
      ["mkdir -m 500 a"] = "BASE/a/d cannot be made: this user may not enter BASE/a, or not write to it",
    } do
      local folder = command == "mkdir -m 500 a" and "a/d" or "d"
      assert.equal(("queue disk:%s?name=main: %s\n"):format(folder, why), said_to_stranger(command, folder))
    end
    fails(1, "no folder can be made in /sys$", ipc.disk_key "/sys/nothere")
    fails(ENOTDIR, "/etc/passwd/x cannot be made, since /etc/passwd is not a folder", ipc.disk_key "/etc/passwd/x")
  end)

  it("is warned of if it is in memory", function()
    local code = ([[
      local ipc = require "ipc"
      for _, make in ipairs{ipc.queue, ipc.shared_data} do assert(make(%q)) end
    ]]):format(tostring(disk.key()):match "%((.+)%)")
    local said = shell.output(("%s -W -e '%s' 2>&1"):format(IPCLUA, code))
    local warning = "Lua warning: %s disk:/dev/shm/%%S+ its folder is in memory, and does not outlive a restart"
      .. " of the machine\n"
    assert.matches("^" .. warning:format("queue") .. warning:format("shared data") .. "$", said)
    assert.equal("", shell.output(("%s -e '%s' 2>&1"):format(IPCLUA, code)))
  end)

  it("is refused on a network #nosan", function()
    local library = peer.compile("statfs_nfs.c", "-shared -fPIC")
    local code = ([[print(select(2, require "ipc".shared_data(%q)))]]):format("disk:" .. path)
    local text = shell.output(("LD_PRELOAD=%s %s -e '%s'"):format(library, IPCLUA, code))
    assert.matches("the folder .*shop is on a network file system.*\t" .. ENOTSUP, text)
  end)

  it("takes no mode that lets others in, and no word for sync that it does not know", function()
    fails(EINVAL, "mode=0660: a folder on a disk is for its owner alone", key, {mode = "0660"})
    for _, sync in ipairs{"each", "soon"} do assert(ipc.shared_data(key, {mode = "0600", sync = sync})):close() end
    assert.error_matches(function() ipc.shared_data(key, {sync = "never"}) end, "sync must be .each. or .soon.")
    local nothing, why, code = ipc.shared_data("shm:x", {sync = "each"})
    assert.same({nil, ENOTSUP}, {nothing, code})
    assert.matches("the option sync is for keys of a disk", why)
  end)

  it("has no semaphores, mutexes and shared memory", function()
    for _, call in ipairs{{ipc.semaphore, key, 4}, {ipc.mutex, key}, {ipc.shared_memory, key, 4}} do
      local nothing, why, code = call[1](table.unpack(call, 2))
      assert.same({nil, ENOTSUP}, {nothing, code})
      assert.matches("a disk has no [%l ]+; use a file, shm or redis key$", why)
    end
  end)

  it("has many objects, for many processes", function()
    local data = {}
    for i = 1, 50 do
      data[i] = assert(ipc.shared_data(ipc.disk_key(path, "n" .. i)))
      data[i]:set("x", i)
    end
    local child = assert(ipc.process(function(channel)
      local sum = 0
      for i = 1, 50 do sum = sum + assert(ipc.shared_data(ipc.disk_key(path, "n" .. i))):add("x", 1) end
      channel:send(sum)
    end))
    assert.equal(50 * 51 // 2 + 50, child.channel:receive(PATIENCE))
    assert.is_true(child:wait(PATIENCE))
    for i = 1, 50 do
      assert.equal(i + 1, data[i]:get("x"))
      data[i]:close()
    end
  end)

  it("keeps what was set, when no process has it any more", function()
    local code = ([[local d = assert(require "ipc".shared_data(%q)) print(d:add("x", 1))]]):format("disk:" .. path)
    for i = 1, 3 do assert.equal(i .. "\n", shell.output(("%s -e '%s'"):format(IPCLUA, code))) end
  end)

  it("keeps what was set by a process that is killed in the next change", function()
    for _ = 1, 10 do
      local child = assert(ipc.process(function(channel)
        local d = assert(ipc.shared_data(key))
        for i = 1, math.huge do
          d:set("x", i)
          channel:send(i)
        end
      end))
      local last
      for _ = 1, 20 do last = child.channel:receive(PATIENCE) end
      child:signal("KILL")
      for i in child.channel:messages() do last = i end
      child:wait(PATIENCE)
      local d <close> = assert(ipc.shared_data(key))
      local x = d:get("x")
      assert.is_true(x == last or x == last + 1, x .. " after " .. last)
    end
  end)

  it("is begun anew, whatever processes have left in the file of the living", function()
    local d = assert(ipc.shared_data(key))
    d:set("x", 1)
    d:close()
    for _, size in ipairs{0, 100, 4096, 9000} do
      assert(os.execute(("head -c %d /dev/urandom > %s/control"):format(size, path)))
      d = assert(ipc.shared_data(key))
      assert.equal(1, d:get("x"))
      d:close()
    end
  end)

  it("is another one, when it was removed and made again", function()
    local old <close> = assert(ipc.shared_data(key))
    old:set("x", 1)
    assert(os.execute("rm -r " .. path))
    local new <close> = assert(ipc.shared_data(key))
    assert.is_nil(new:get("x"))
    new:set("x", 2)
    assert.equal(1, old:get("x"))
    assert.equal(2, new:get("x"))
  end)
end)
