-- SPDX-License-Identifier: MIT
-- ipctl --help, completion, the man page, and what is said of wrong command lines.

local engines = require "spec.support.engines"
local ipctl = require "spec.support.ipctl"
local shell = require "spec.support.shell"

local ipc = require "ipc"

local verbs = {}
for name in ipctl.output("--help"):gmatch("\n  (%l+) ") do verbs[#verbs + 1] = name end

-- The completion of a line by bash.
local function complete(line)
  local words, count = "", 0
  for word in (line .. " "):gmatch("(%S*)%s") do
    words, count = words .. " '" .. word .. "'", count + 1
  end
  local script = ([[
    PATH=%s:$PATH
    eval "$(ipctl completion bash)"
    COMP_LINE='%s' COMP_POINT=%d COMP_WORDS=(%s) COMP_CWORD=%d
    _ipctl
    printf '%%s\n' "${COMPREPLY[@]}"]]):format(ipctl.program:match("^(.*)/") or ".", line, #line, words, count - 1)
  local path = shell.temporary(script)
  local text = shell.output("bash " .. path)
  os.remove(path)
  return text
end

describe("ipctl", function()
  after_each(engines.shm.cleanup)

  it("helps with each verb", function()
    assert.is_true(#verbs > 10)
    for _, verb in ipairs(verbs) do
      local text = ipctl.output(verb, "--help")
      assert.equal(text, ipctl.output("help", verb))
      assert.truthy(text:find("^usage: ipctl " .. verb .. " .-\n\n%u.*\n  %-%-help "), text)
      for line in text:gmatch("[^\n]+") do assert.is_true(#line <= 120, line) end
    end
    assert.truthy(ipctl.output("--version"):find("^ipctl %d"))
    assert.equal(2, (ipctl.run{}))
  end)

  it("says in one line what is wrong with a command line", function()
    for problem, command in pairs{
      ["there is no verb lss"] = {"lss"},
      ["ls: unknown option --alll; it knows --all"] = {"ls", "--alll"},
      ["ls: unknown option -a"] = {"ls", "-a"},
      ["peek: --type wants N"] = {"peek", "shm:a", "--type"},
      ["ls: --all has no value"] = {"ls", "--all=1"},
      ["usage: ipctl peek"] = {"peek"},
      ["shm:a b is no key: a name is 1 to 200"] = {"peek", "shm:a b"},
      ["a is no key: a key is "] = {"peek", "a"},
      ["--timeout must be a number, 0 or more, not '-1'"] = {"receive", "shm:a", "--timeout=-1"},
    } do
      assert.truthy(ipctl.failure(table.unpack(command)):find(problem, 1, true), problem)
    end
  end)

  it("completes verbs, options and keys in bash", function()
    if not os.execute("command -v bash >/dev/null") then return pending("there is no bash") end
    assert.equal("peek\n", complete("ipctl pe"))
    assert.equal("--all\n", complete("ipctl ls --al"))
    local key = engines.shm.key()
    local q <close> = assert(ipc.queue(key))
    assert.equal(key.name .. "\n", complete("ipctl peek shm:" .. key.name:sub(1, -1)))
    q:close()
  end)

  it("prints completion for zsh and fish, and a man page, of all verbs", function()
    for _, kind in ipairs{"bash", "zsh", "fish", "man"} do
      local text = ipctl.output("completion", kind)
      for _, verb in ipairs(verbs) do assert.truthy(text:find("%f[%w]" .. verb .. "%f[%W]"), kind .. verb) end
      assert.is_nil(text:find("%f[%u]OPTIONS%f[%U]"), kind)
    end
    assert.truthy(ipctl.failure("completion", "tcsh"):find("not tcsh", 1, true))
    for _, check in ipairs{"bash -n", "zsh -n", "fish -n", "groff -man -ww -Tascii -z"} do
      if os.execute("command -v " .. check:match("%S+") .. " >/dev/null") then
        local kind = check:match("^groff") and "man" or check:match("%S+")
        local path = shell.temporary(ipctl.output("completion", kind))
        assert.same({"", "exit 0"}, {shell.output(check .. " " .. path .. " 2>&1")})
        os.remove(path)
      end
    end
  end)
end)
