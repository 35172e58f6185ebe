-- SPDX-License-Identifier: MIT
-- A relative path was looked up again each time. After a chdir, a lock's remove() deleted another folder's file, a
-- child or a lock whose file had been removed locked another folder's, a key's clone() was that of another file, and
-- a hub left its socket behind. And a path that meant another file meanwhile was taken for the same one.

local homes = require "spec.support.homes"

local SETUP <const> = [[
  local lfs = require "lfs"
  local root = %q
  lfs.chdir(root .. "/one")
  local function ls(folder)
    local names = {}
    for name in lfs.dir(root .. "/" .. folder) do
      if not name:find "^%%.%%.?$" then names[#names + 1] = name end
    end
    table.sort(names)
    return "[" .. table.concat(names, " ") .. "]"
  end
  local function write(path)
    local file <close> = assert(io.open(path, "w"))
    file:write(path)
  end
]]

for _, home in ipairs(homes) do
  describe("a relative path, in " .. home.name .. ",", function()
    local root
    before_each(function()
      root = os.tmpname()
      os.remove(root)
      assert(os.execute(("mkdir -p %s/one %s/two"):format(root, root)))
    end)
    after_each(function() os.execute("rm -rf " .. root) end)

    local function run(expected, code)
      local output, status, errors = home.run(SETUP:format(root) .. code)
      assert.same({expected, "exit 0", ""}, {output, status, errors})
    end

    it("is that of the folder in which a file lock was opened", function()
      run("true\t[]\t[app.lock]\n", [[
        local lock = assert(ipc.file_lock("app.lock"))
        write(root .. "/two/app.lock")
        lfs.chdir "../two"
        print(lock:remove(), ls "one", ls "two")]])
      run("timeout\ttrue\t[app.lock]\t[app.lock]\n", [[
        local lock = assert(ipc.file_lock("../one/app.lock"))
        lfs.chdir "../two"
        os.remove(root .. "/one/app.lock")
        lock:acquire() -- makes it again
        local other <close> = assert(ipc.file_lock(root .. "/one/app.lock"))
        local taken, word = other:acquire(0)
        assert(taken == nil)
        print(word, lock:release(), ls "one", ls "two")]])
      run("timeout\ttrue\t[app.lock]\t[app.lock]\n", [[
        local lock = assert(ipc.file_lock("app.lock"))
        lock:acquire()
        lfs.chdir "../two"
        local child = ipc.process(function(channel) channel:send{lock:acquire(0)} end)
        local said = child.channel:receive(20)
        print(said[2], lock:release(), ls "one", ls "two")]])
    end)

    it("is no file lock's any more when it means another file", function()
      run("removed\t[app.lock]\t2\n", [[
        local lock = assert(ipc.file_lock("app.lock"))
        assert(os.rename("app.lock", "../app.lock"))
        write "app.lock"
        local removed, word = lock:remove()
        assert(removed == nil)
        io.write(word, "\t", ls "one", "\t")
        os.remove "app.lock"
        local _, _, code = lock:remove()
        print(code)]])
    end)

    it("is that of the folder in which a key was made", function()
      run("true\tfalse\tk\t116\t2\n", [[
        write "k" write "../two/k"
        local key = assert(ipc.file_key("k"))
        lfs.chdir "../two"
        local clone = assert(key:clone())
        io.write(tostring(clone == ipc.file_key("../one/k", 1)), "\t", tostring(clone == ipc.file_key("k", 1)), "\t",
          clone.path, "\t")
        assert(os.rename("../one/k", "../one/l"))
        write "../one/k"
        local _, _, code = key:clone()
        io.write(code, "\t")
        os.remove "../one/k"
        _, _, code = key:clone()
        print(code)]])
    end)

    it("is that of the folder in which a hub listens", function()
      run("[s]\t[s]\t[]\t[s]\n", [[
        local hub, other = ipc.multi_stream_channel(), ipc.multi_stream_channel()
        assert(hub:listen "s")
        lfs.chdir "../two"
        assert(other:listen "s")
        io.write(ls "one", "\t", ls "two", "\t")
        hub:close()
        print(ls "one", ls "two")
        other:close()]])
    end)

    it("is left alone by a hub whose socket is not there any more", function()
      run("[s]\tipc.StreamChannel\n", [[
        local hub, other = ipc.multi_stream_channel(), ipc.multi_stream_channel()
        assert(hub:listen "s")
        os.remove "s"
        assert(other:listen "s")
        hub:close()
        print(ls "one", (tostring(ipc.connect "s"):match "^[%a.]+"))
        other:close()]])
      run("[s]\n", [[
        local hub = ipc.multi_stream_channel()
        assert(hub:listen "s")
        os.remove "s"
        write "s"
        hub:close()
        print(ls "one")]])
    end)

    it("works in a folder that is not there any more, or whose path is long", function()
      run("true\n", [[
        lfs.mkdir "../gone"
        lfs.chdir "../gone"
        lfs.rmdir "../gone"
        local lock, _, code = ipc.file_lock "app.lock"
        local key = ipc.file_key "k"
        local hub = ipc.multi_stream_channel()
        print(lock == nil and code == 2 and key == nil and hub:listen "s" == nil)]])
      run("true\t[]\ttrue\n", [[
        local deep = ""
        for _ = 1, 20 do
          deep = deep .. "/" .. ("d"):rep(100)
          assert(lfs.mkdir("." .. deep))
        end
        lfs.chdir("." .. deep)
        local hub, lock = ipc.multi_stream_channel(), assert(ipc.file_lock "l")
        assert(hub:listen "s")
        lfs.chdir(root)
        hub:close()
        print(lock:remove(), ls("one" .. deep), ipc.connect("one" .. deep .. "/s") == nil)]])
    end)
  end)
end
