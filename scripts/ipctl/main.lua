-- SPDX-License-Identifier: MIT
-- The command line of ipctl: finds the verb and calls it. The result is the exit status.

local args = require "ipctl.args"
local help = require "ipctl.help"
local out = require "ipctl.out"
local system = require "ipctl.system"
local verbs = require "ipctl.verbs"

local function find(name)
  for _, verb in ipairs(verbs) do
    if verb.name == name then return verb end
  end
  out.fail("there is no verb %s; `ipctl --help` lists them", name)
end

local function run(verb, given)
  local parsed = args.parse(verb, given)
  if parsed.help then
    out.write(help.of(verb))
    return 0
  end
  args.count(verb, parsed, verb.least or 0, verb.most)
  local module = require("ipctl." .. verb.module)
  return module[verb.method or "run"](parsed, verb)
end

return function(given)
  local name = given[1]
  if name == "--version" or name == "-v" then
    out.line("ipctl " .. system.version)
    return 0
  end
  if name == nil or name == "--help" or name == "-h" or name == "help" and not given[2] then
    out.write(help.all())
    return name and 0 or 2
  end
  if name == "help" then
    out.write(help.of(find(given[2])))
    return 0
  end
  return run(find(name), table.move(given, 2, #given, 1, {}))
end
