-- SPDX-License-Identifier: MIT
-- What may be there under the name of an object in shared memory, and is not one, or not for us: each is an error that
-- names the object and says why, and what was there stays as it was. What is inside the directory of shared data has
-- store_spec.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local shell = require "spec.support.shell"

local EINVAL, EACCES, EUCLEAN, EPROTO, ENOSPC <const> = 22, 13, 117, 71, 28
local host = os.getenv("IPCLUA") or "build/ipclua"
local shm = engines.shm

local FOREIGN <const> = "what is there was made by another program for another purpose"
local VERSION <const> = "it was made by another version, and its layout differs; when no program uses it, remove it"
local DAMAGED <const> = "it is damaged; remove it"
local DENIED <const> = "it belongs to another user, and its mode does not allow it"

local nouns = {
  {"queue", "queue", function(key) return ipc.queue(key, {capacity = 4000}) end},
  {"semaphore", "semaphore", function(key) return ipc.semaphore(key, 3) end},
  {"mutex", "mutex", function(key) return ipc.mutex(key) end},
  {"shared memory", "memory", function(key) return ipc.shared_memory(key, 100) end},
  {"shared data", "data", function(key) return ipc.shared_data(key, {size = 65536}) end},
}

local function run(command, ...)
  assert.is_true((os.execute(command:format(...))), command)
end

-- What a directory listing and a checksum tell.
local function picture(path)
  return shell.output(("stat -c '%%n %%F %%s %%a %%u' %s; find -L %s -type f -exec cksum {} + 2>&1"):format(path, path))
end

local function write(path, at, bytes)
  local file <close> = assert(io.open(path, "r+b"))
  file:seek("set", at)
  file:write(bytes)
end

for _, noun in ipairs(nouns) do
  local name, word, open = table.unpack(noun)

  describe("the name of a " .. name, function()
    local key, path
    before_each(function()
      key = shm.key()
      path = ("/dev/shm/ipclua.%s.%s"):format(word, key.name)
    end)
    after_each(shm.cleanup)

    -- Refused, with these words and where it is, and nothing is touched.
    local function refused(errno, why)
      local place = errno == EINVAL and (" (%s)"):format(path) or errno == EACCES and ""
        or (" (%s %s)"):format(word == "data" and "rm -r" or "rm", path)
      local before = picture(path)
      local object, message, code = open(key)
      assert.is_nil(object)
      assert.equal(("%s shm:%s: %s%s"):format(name, key.name, why, place), message)
      assert.equal(errno, code)
      assert.equal(before, picture(path))
    end

    it("may be taken by something else", function()
      for _, make in ipairs{"mkfifo %s", "ln -s /nowhere %s", "ln -s /etc/passwd %s", ": > %s", "echo hello > %s",
        "head -c 100000 /dev/zero > %s", "head -c 100000 /dev/urandom > %s"} do
        run(make, path)
        refused(EINVAL, FOREIGN)
        os.remove(path)
      end
      run("mkdir %s", path)
      refused(word == "data" and EUCLEAN or EINVAL, word == "data" and DAMAGED or FOREIGN)
    end)

    it("may be a link to an object, which is not followed", function()
      assert(open(key)):close()
      run("mv %s %s.real && ln -s %s.real %s", path, path, path, path)
      refused(EINVAL, FOREIGN)
      run("rm %s && mv %s.real %s", path, path, path)
      local again <close> = assert(open(key))
      assert.is_truthy(again)
    end)

    it("may be that of another version's object", function()
      assert(open(key)):close()
      write(word == "data" and path .. "/control" or path, 8, ("<I4"):pack(77))
      refused(EPROTO, VERSION)
    end)

    it("may be that of another user's object", function()
      if shell.output("id -u") ~= "0\n" then return pending("this is not root") end
      assert(open(key)):close()
      run("chown -R 65534 %s", path)
      refused(EACCES, DENIED)
    end)

    it("may be that of an object that is not for us", function()
      local other = ("setpriv --reuid=65534 --regid=65534 --clear-groups %s "):format(host)
      if not os.execute(other .. "-e '' 2>/dev/null") then return pending("this cannot run as another user") end
      assert(open(key)):close()
      local code = ([[local key = require "ipc".shm_key(%q) print((load(%q))(key))]]):format(key.name,
        ("local key = ... local ipc = require 'ipc' return ipc.%s"):format(({
          queue = "queue(key)", semaphore = "semaphore(key, 3)", mutex = "mutex(key)",
          memory = "shared_memory(key, 100)", data = "shared_data(key)",
        })[word]))
      local script = os.tmpname()
      finally(function() os.remove(script) end)
      local file <close> = assert(io.open(script, "w"))
      file:write(code)
      file:close()
      run("chmod 644 %s", script)
      assert.equal(("nil\t%s shm:%s: %s\t%d\n"):format(name, key.name, DENIED, EACCES),
        shell.output(other .. script .. " 2>&1"))
    end)

    if word ~= "data" then
      it("may be that of an object that is damaged", function()
        assert(open(key)):close()
        local size = tonumber((shell.output("stat -c %s " .. path)))
        local function damaged(command, ...)
          run("cp %s %s.whole", path, path)
          run(command, ...)
          refused(EUCLEAN, DAMAGED)
          run("mv %s.whole %s", path, path)
        end
        damaged("truncate -s %d %s", size - 1, path)
        damaged("truncate -s %d %s", size + 1, path)
        damaged("truncate -s 400 %s", path)
        local room = word == "queue" and 384 or 280 -- behind the head
        for at, bytes in pairs{
          [16] = ("<I8"):pack(size * 2), [20] = "\xff\xff\xff\xff", -- its size
          [56] = "sofa\0", [72] = "another\0", -- noun and name
          [room] = ("<I8"):pack(1 << 40), [room + 4] = ("<I4"):pack(1 << 20), -- how much there is room for
        } do
          run("cp %s %s.whole", path, path)
          write(path, at, bytes)
          local lock = word == "semaphore" or word == "mutex"
          if not (lock and at == room + 4) then refused(EUCLEAN, DAMAGED) end -- that one is the permits taken
          run("mv %s.whole %s", path, path)
        end
        local again <close> = assert(open(key))
        assert.is_truthy(again)
      end)

      it("may be that of an object of another noun, or name", function()
        for _, other in ipairs(nouns) do
          if other ~= noun and other[2] ~= "data" then
            assert(other[3](key)):close()
            run("cp /dev/shm/ipclua.%s.%s %s", other[2], key.name, path)
            refused(EUCLEAN, DAMAGED)
            os.remove(path)
          end
        end
        local elsewhere = assert(open(shm.key()))
        run("cp /dev/shm/ipclua.%s.%s %s", word, tostring(elsewhere):match("shm:(%S-)[,%s>)]") or key.name, path)
        refused(EUCLEAN, DAMAGED)
        elsewhere:remove()
      end)
    end
  end)
end

describe("an object in shared memory", function()
  after_each(shm.cleanup)

  it("that would be too large is refused", function()
    local key = shm.key()
    assert.error_matches(function() ipc.queue(key, {capacity = 1 << 40}) end, "must be from 1 to 2147483647 bytes")
    local d, why, code = ipc.shared_data(key, {size = 1 << 40})
    assert.same({nil, ENOSPC}, {d, code})
    assert.matches("^shared data shm:%S+: /dev/shm has no room for %d+ bytes", why)
    assert.error_matches(function() ipc.shared_memory(key, 1 << 40) end, "slots must be from 1 to 134217728")
    assert.equal("", shell.output("ls -d /dev/shm/*" .. key.name .. "* 2>/dev/null"))
  end)

  it("finds no room on a full /dev/shm, whichever it is, and leaves nothing there", function()
    if not os.execute("[ $(id -u) = 0 ] && unshare -m true 2>/dev/null") then
      return pending("this may not make a mount namespace")
    end
    local script = os.tmpname()
    finally(function() os.remove(script) end)
    local file <close> = assert(io.open(script, "w"))
    file:write([[
      local ipc = require "ipc"
      local key = ipc.shm_key "x"
      os.execute "head -c 3M /dev/zero > /dev/shm/fill 2>/dev/null"
      print(ipc.queue(key))
      print(ipc.semaphore(key, 500))
      print(ipc.mutex(key))
      print(ipc.shared_memory(key, 10000))
      print(ipc.shared_data(key))
      print(io.popen("ls -A /dev/shm"):read("a") == "fill\n")
      os.remove "/dev/shm/fill"
      local q = assert(ipc.queue(key, {codec = "raw", capacity = 900000}))
      os.execute "head -c 3M /dev/zero > /dev/shm/fill 2>/dev/null"
      print(q:send(1, ("x"):rep(900000), 0), #q:receive(), q:remove())]])
    file:close()
    local expected = ""
    for _, noun in ipairs(nouns) do
      expected = expected .. ("nil\t%s shm:x: /dev/shm has no room for it\t28\n"):format(noun[1])
    end
    local said = shell.output(("unshare -m sh -c 'mount -t tmpfs -o size=2m none /dev/shm && exec %s %s' 2>&1")
      :format(host, script))
    assert.equal(expected .. "true\ntrue\t900000\ttrue\n", (said:gsub("no room for %d[^\t]+", "no room for it")))
  end)
end)
