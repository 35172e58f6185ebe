-- SPDX-License-Identifier: MIT
-- The programs in scripts/examples: how they are asked for help, what they refuse, and that Ctrl-C leaves nothing
-- behind. For that they run where /dev/shm, /tmp and the objects of System V are their own, and are interrupted after
-- each line that they print.

local ipc = require "ipc"

local host = os.getenv("IPCLUA") or "build/ipclua"

local function output_of(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  local _, _, code = pipe:close()
  return text, code
end

local root = output_of("pwd"):match("[^\n]+")
if host:sub(1, 1) ~= "/" then host = root .. "/" .. host end

local examples = {}
for name in output_of("LC_ALL=C ls scripts/examples"):gmatch("(%S+)%.lua") do examples[#examples + 1] = name end

describe("every example", function()
  it("says how it is used, and refuses what it does not know", function()
    local folder = output_of("mktemp -d /tmp/ipclua-examples.XXXXXX"):match("%S+")
    finally(function() os.execute("rm -r " .. folder) end)
    for _, name in ipairs(examples) do
      local command = ("cd %s && exec %s %s/scripts/examples/%s.lua "):format(folder, host, root, name)
      local text, code = output_of(command .. "--help 2>/dev/null")
      assert.matches("^usage: ipclua " .. name .. "%.lua", text)
      assert.equal(0, code, name)
      for _, nonsense in ipairs{"--nonsense", "-x", "--nonsense a b c d"} do
        text, code = output_of(command .. nonsense .. " 2>&1 >/dev/null")
        assert.matches("^usage: ipclua " .. name .. "%.lua", text)
        assert.equal(2, code, name)
      end
    end
    assert.equal("", (output_of("ls -A " .. folder)))
  end)

  it("does not wait for a file that is not there, nor make it", function()
    local folder = output_of("mktemp -d /tmp/ipclua-examples.XXXXXX"):match("%S+")
    finally(function() os.execute("rm -r " .. folder) end)
    for _, arguments in ipairs{"tail.lua %s/none %s/socket", "file_lock.lua %s/none", "wordcount.lua %s/none",
      "pool.lua %s/none", "chat.lua join %s/none ann"} do
      local command = "exec timeout 60 " .. host .. " scripts/examples/" .. arguments:gsub("%%s", folder)
      local text, code = output_of(command .. " 2>&1")
      assert.equal(1, code, arguments)
      assert.matches("%f[%w]none", text)
      assert.not_matches("traceback", text)
    end
    assert.equal("", (output_of("ls -A " .. folder)))
  end)

  it("refuses a verb, or a number, that it does not know", function()
    for _, arguments in ipairs{
      "jobs.lua stap", "jobs.lua give x", "jobs.lua give 0", "jobs.lua give 10001", "jobs.lua give 1 2",
      "jobs.lua --key", "jobs.lua --key shm:none", "mail.lua work 1", "mail.lua send ann",
      "mail.lua send ann hello soon",
      "mail.lua send ann hello 1e300", "mail.lua send ann hello -1", "mail.lua send '#ann' hello",
      "mail.lua --key", "mail.lua --key shm:none", "chat.lua serve", "chat.lua join /tmp/x", "chat.lua play x",
      "tail.lua x", "wordcount.lua -j", "wordcount.lua -j none", "wordcount.lua -j 0", "file_lock.lua a b",
      "task.lua x",
    } do
      local text, code = output_of(("exec timeout 60 %s scripts/examples/%s 2>&1"):format(host, arguments))
      assert.equal(2, code, arguments)
      assert.matches("^usage: ", text)
    end
  end)
end)

-- In namespaces of its own: the folders are empty, but for the tree if that is below one of them.
local world = [[
  trap : INT
  mount -t tmpfs none /dev/shm || exit
  case $PWD in /tmp/*) ;; *) mount -t tmpfs none /tmp || exit ;; esac
  "$0" scripts/examples/"$1".lua 2>/dev/null
  echo "-- left:"
  ls -A /dev/shm | grep -v ^ipclua.board. # of a child that was killed: the next reader removes it
  case $PWD in /tmp/*) ;; *) ls -A /tmp ;; esac
  ipcs -q -s -m | grep 0x
  exit 0
]]

-- What an example leaves that is interrupted after so many lines, or ends before.
local function interrupted(name, after)
  local command = {"setsid", "unshare", "-rim", "sh", "-c", world, host, name, stdout = "pipe"}
  local child <close> = assert(ipc.process(command))
  local seen, left = 0, nil
  for line in child.stdout:messages() do
    if left then
      left[#left + 1] = line
    elseif line == "-- left:" then
      left = {}
    else
      seen = seen + 1
      if seen == after then os.execute(("kill -s INT -- -%d 2>/dev/null"):format(child.pid)) end
    end
  end
  assert(left, name .. " was killed")
  return left
end

describe("Ctrl-C in an example", function()
  local possible = os.execute("unshare -rim true 2>/dev/null")

  for _, name in ipairs(examples) do
    if name ~= "wordcount" then -- it has specs of its own
      it("leaves nothing behind: " .. name, function()
        if not possible then return pending("this machine has no namespaces for us") end
        local runs = {}
        for after = 1, 4 do runs[after] = ipc.task(interrupted, name, after) end
        for after, run in ipairs(runs) do assert.same({true, {}}, {run:join()}, name .. " after " .. after) end
      end)
    end
  end
end)
