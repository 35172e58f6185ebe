-- SPDX-License-Identifier: MIT
-- Keys: the numbers that ftok(3) makes, in whatever language; their texts; what is none.

local ipc = require "ipc"
local peer = require "spec.support.peer"

local ENOENT, ENOTDIR, EINVAL = 2, 20, 22
local IPCLUA = os.getenv("IPCLUA")

describe("a file key", function()
  local path
  before_each(function() path = os.tmpname() end)
  after_each(function() os.remove(path) end)
  teardown(peer.clean)

  local function fails(code, pattern, ...)
    local key, message, number = ipc.file_key(...)
    assert.is_nil(key)
    assert.matches(pattern, message)
    assert.equal(code, number, message)
  end

  for _, project in ipairs{0, 1, 65, 127, 128, 255} do
    describe("of project " .. project, function()
      local id
      before_each(function() id = tostring(ipc.file_key(path, project).id) end)

      it("is what PHP makes", function()
        assert.equal(id, peer.output(("%s -r 'echo ftok(\"%s\", chr(%d));'"):format(peer.PHP, path, project)))
      end)

      it("is what Python makes", function()
        local code = ("import sysv_ipc; print(sysv_ipc.ftok(\"%s\", %d, silence_warning=True), end=\"\")")
          :format(path, project)
        assert.equal(id, peer.output(("%s -c '%s'"):format(peer.PYTHON, code)))
      end)

      it("is what C makes", function()
        assert.equal(id, peer.output(("%s %s %d"):format(peer.compile("ftok.c"), path, project)))
      end)
    end)
  end

  it("is a signed number of 32 bits", function()
    local low, high = ipc.file_key(path, 127).id, ipc.file_key(path, 128).id
    assert.equal("integer", math.type(low))
    assert.equal(127, low >> 24)
    assert.is_true(high < 0)
    assert.equal(128, (high & 0xffffffff) >> 24)
    assert.equal(low & 0xffffff, high & 0xffffff)
  end)

  it("has project 0 unless told", function()
    assert.equal(0, ipc.file_key(path).project)
    assert.equal(ipc.file_key(path, 0).id, ipc.file_key(path).id)
    assert.equal(ipc.file_key(path, nil), ipc.file_key(path, 0))
  end)

  it("shows what it is", function()
    local key = ipc.file_key(path, 3)
    assert.equal(path, key.path)
    assert.equal(3, key.project)
    assert.equal(("ipc.Key (file:%s?project=3)"):format(path), tostring(key))
    assert.is_nil(key.nothing)
    assert.has_error(function() key.id = 1 end)
  end)

  it("is another one for another file, project or inode", function()
    local other <const> = os.tmpname()
    finally(function() os.remove(other) end)
    local key = ipc.file_key(path)
    assert.not_equal(key, ipc.file_key(other))
    assert.not_equal(key, ipc.file_key(path, 1))
    assert.equal(key, ipc.file_key(path))
    os.rename(other, path) -- as editors save
    assert.not_equal(key, ipc.file_key(path))
  end)

  it("does not depend on how the path is written, nor on links", function()
    local link = path .. ".link"
    assert(os.execute(("ln -s %s %s && ln %s %s.hard"):format(path, link, path, path)))
    finally(function()
      os.remove(link)
      os.remove(path .. ".hard")
    end)
    local key = ipc.file_key(path, 7)
    assert.equal(key, ipc.file_key(path:gsub("/", "//./"), 7))
    assert.equal(key, ipc.file_key(link, 7))
    assert.equal(key, ipc.file_key(path .. ".hard", 7))
    assert.equal(link, ipc.file_key(link).path)
    os.remove(path)
    os.remove(path .. ".hard")
    fails(ENOENT, "cannot make a key of " .. link, link)
  end)

  it("may be of a folder", function()
    assert.is_truthy(ipc.file_key("/tmp").id)
  end)

  it("clones to the next project", function()
    local key = ipc.file_key(path, 253)
    local next_one = key:clone()
    assert.same({254, path, 253}, {next_one.project, next_one.path, key.project})
    assert.equal(ipc.file_key(path, 254), next_one)
    assert.equal(ipc.file_key(path, 255).id, next_one:clone().id)
    assert.error_matches(function() next_one:clone():clone() end, "has the last project, 255: there is no next one")
  end)

  it("cannot be cloned when the file has gone", function()
    local key = ipc.file_key(path)
    os.remove(path)
    local clone, message, code = key:clone()
    assert.is_nil(clone)
    assert.matches(path, message, 1, true)
    assert.equal(ENOENT, code)
    assert.equal(path, key.path)
  end)

  it("needs a file that can be looked at", function()
    fails(ENOENT, "cannot make a key of /nowhere/file: No such file", "/nowhere/file")
    fails(ENOENT, "cannot make a key of : No such file", "")
    fails(ENOTDIR, "cannot make a key of " .. path .. "/x", path .. "/x")
  end)

  it("raises for what is no project, and no path", function()
    for _, project in ipairs{-1, 256, 1.5, math.maxinteger, "x", {}} do
      assert.has_error(function() ipc.file_key(path, project) end)
    end
    assert.error_matches(function() ipc.file_key(path, 256) end, "project must be from 0 to 255, got 256")
    for _, wrong in ipairs{{}, true, io.stdout} do
      assert.has_error(function() ipc.file_key(wrong) end)
    end
    assert.has_error(function() ipc.file_key() end)
    assert.error_matches(function() ipc.file_key("/tmp\0x") end, "path has a zero byte")
    assert.error_matches(function() ipc.file_key(("x"):rep(5000)) end, "path is too long")
  end)

  -- Under a sanitizer nothing may be preloaded before its own library.
  local function with_key(number, code)
    local library = peer.compile("ftok_fixed.c", "-shared -fPIC")
    return peer.output(("FTOK_KEY=%d LD_PRELOAD=%s %s -e '%s'"):format(number, library, IPCLUA, code))
  end

  it("is refused when its number is 0, which is private #nosan", function()
    local text = with_key(0, [[print(require "ipc".file_key("/tmp"))]])
    assert.equal(("nil\tthe System V key of /tmp is 0, which is private: use another project or file: %s\t%d\n")
      :format("Invalid argument", EINVAL), text)
    text = with_key(-1, [[print(select(3, require "ipc".file_key("/tmp"):clone()))]])
    assert.equal(EINVAL .. "\n", text)
  end)

  it("may have the number -1, which is no error #nosan", function()
    assert.equal("-1\n", with_key(-1, [[print(require "ipc".file_key("/tmp").id)]]))
  end)
end)

describe("the text of a key", function()
  it("names a file and a project", function()
    local key = ipc.key("file:/tmp?project=3")
    assert.same({"/tmp", 3}, {key.path, key.project})
    assert.equal(ipc.file_key("/tmp", 3), key)
    assert.same({"/tmp", 0}, {ipc.key("file:/tmp").path, ipc.key("file:/tmp").project})
    assert.equal(255, ipc.key("file:/tmp?project=255").project)
    assert.equal(7, ipc.key("file:/tmp?project=007").project)
  end)

  it("is what tostring shows", function()
    local key = ipc.file_key("/tmp", 9)
    assert.equal(key, ipc.key(tostring(key):match("%((.*)%)")))
  end)

  it("writes ? and % by their numbers", function()
    local path = os.tmpname()
    local odd = path .. "?a%41"
    assert(os.rename(path, odd))
    finally(function() os.remove(odd) end)
    assert.equal(odd, ipc.key("file:" .. path .. "%3Fa%2541?project=1").path)
    assert.equal(odd, ipc.key("file:" .. path .. "%3fa%2541").path)
    local percent = path .. "%zz%"
    assert(os.rename(odd, percent))
    finally(function() os.remove(percent) end)
    assert.equal(percent, ipc.key("file:" .. percent).path)
  end)

  it("fails as ipc.file_key does", function()
    local key, message, code = ipc.key("file:/nowhere/file?project=1")
    assert.is_nil(key)
    assert.matches("cannot make a key of /nowhere/file", message)
    assert.equal(ENOENT, code)
  end)

  it("raises when it is none", function()
    local bad = {
      [""] = "a key is", ["/tmp"] = "a key is", ["FILE:/tmp"] = "a key is", ["file"] = "a key is",
      ["file:"] = "no path", ["file:?project=1"] = "no path",
      ["file:/tmp?project=256"] = "0 to 255", ["file:/tmp?project=4294967299"] = "0 to 255",
      ["file:/tmp?project=99999999999999999999"] = "0 to 255",
      ["file:/tmp\0x"] = "zero byte", ["file:/tmp%00x"] = "zero byte",
    }
    for _, query in ipairs{"", "project", "project=", "project=x", "project=3x", "project= 3", "project=+3",
      "project=-1", "project=1&x=2", "Project=1", "x=1", "?project=1"} do
      bad["file:/tmp?" .. query] = "0 to 255"
    end
    for text, pattern in pairs(bad) do
      assert.error_matches(function() ipc.key(text) end, pattern)
    end
    for _, wrong in ipairs{{}, true, io.stdout} do
      assert.has_error(function() ipc.key(wrong) end)
    end
  end)
end)

describe("a key of a disk", function()
  it("shows its folder and its name", function()
    local key = ipc.disk_key("/var/lib/shop", "jobs")
    assert.same({"/var/lib/shop", "jobs"}, {key.path, key.name})
    assert.is_nil(key.id)
    assert.is_nil(key.project)
    assert.equal("ipc.Key (disk:/var/lib/shop?name=jobs)", tostring(key))
    assert.equal("main", ipc.disk_key("/var/lib/shop").name)
    assert.error_matches(function() key:clone() end, "is no file, so there is no next project")
  end)

  it("is another one for another folder or name", function()
    local key = ipc.disk_key("/var/lib/shop", "jobs")
    assert.equal(ipc.disk_key("/var/lib/shop", "jobs"), key)
    assert.not_equal(ipc.disk_key("/var/lib/shop"), key)
    assert.not_equal(ipc.disk_key("/var/lib/sho", "jobs"), key)
    assert.not_equal(ipc.shm_key("jobs"), key)
    assert.equal(ipc.disk_key("/var/lib/shop"), ipc.disk_key("/var/lib/shop", "main"))
  end)

  it("takes a relative path from the working directory", function()
    local file = assert(io.popen("pwd -P"))
    local here = file:read("l")
    file:close()
    local key = ipc.disk_key("shop", "jobs")
    assert.equal("shop", key.path)
    assert.equal(ipc.disk_key(here .. "/shop", "jobs"), key)
  end)

  it("is what its text names", function()
    local key = ipc.key("disk:/var/lib/shop?name=a/b.c")
    assert.equal(ipc.disk_key("/var/lib/shop", "a/b.c"), key)
    assert.equal(ipc.disk_key("/var/lib/shop"), ipc.key("disk:/var/lib/shop"))
    assert.equal("/var/lib/s?p", ipc.key("disk:/var/lib/s%3Fp?name=x").path)
  end)

  it("raises for what is no path, and no name", function()
    local bad = {
      ["disk:"] = "no path", ["disk:?name=x"] = "no path", ["disk:/x?"] = "after the path comes ?name=jobs",
      ["disk:/x?nam=x"] = "after the path comes ?name=jobs", ["disk:/x?name="] = "a name is 1 to 200",
      ["disk:/x?name=a b"] = "a name is 1 to 200", ["disk:/x%00?name=a"] = "zero byte",
      ["disk:/x?name=" .. ("x"):rep(201)] = "a name is 1 to 200",
    }
    for text, why in pairs(bad) do
      assert.error_matches(function() ipc.key(text) end, why, 1, true)
    end
    assert.error_matches(function() ipc.disk_key("") end, "path is empty")
    assert.error_matches(function() ipc.disk_key("/tmp\0x") end, "path has a zero byte")
    assert.error_matches(function() ipc.disk_key(("x"):rep(5000)) end, "path is too long")
    assert.error_matches(function() ipc.disk_key("/tmp", "") end, "a name is 1 to 200")
    for _, wrong in ipairs{{}, true, io.stdout} do
      assert.has_error(function() ipc.disk_key(wrong) end)
      assert.has_error(function() ipc.disk_key("/tmp", wrong) end)
    end
    assert.has_error(function() ipc.disk_key() end)
  end)
end)
