-- SPDX-License-Identifier: MIT
-- The command line of a verb: options by their long names, in any place, and the rest in its order. What a verb knows
-- is in the table of verbs.

local out = require "ipctl.out"

local args = {}

-- Options that every verb has, or the one that says so.
local common <const> = {
  help = {"help", nil, "show this"},
  json = {"json", nil, "a line of JSON for each row"},
  timeout = {"timeout", "SECONDS", "wait no longer; 0 tries once"},
}

-- All options of a verb, with the common ones.
function args.options(verb)
  local list = {}
  for _, option in ipairs(verb.options or {}) do
    list[#list + 1] = type(option) == "string" and common[option] or option
  end
  list[#list + 1] = common.help
  return list
end

local function find(verb, name)
  local names = {}
  for _, option in ipairs(args.options(verb)) do
    if option[1] == name then return option end
    names[#names + 1] = "--" .. option[1]
  end
  out.fail("%s: unknown option --%s; it knows %s", verb.name, name, table.concat(names, ", "))
end

-- A list of arguments, with options by their names, and what follows "--" as `command`.
function args.parse(verb, given)
  local parsed, i = {}, 1
  while i <= #given do
    local word = given[i]
    if word == "--" then
      if verb.command then
        parsed.command = table.move(given, i + 1, #given, 1, {})
      else
        table.move(given, i + 1, #given, #parsed + 1, parsed)
      end
      break
    end
    local name, value = word:match("^%-%-([^=]+)=?(.*)$")
    if word == "-h" then name, value = "help", "" end
    if not name then
      if word:find("^%-.") and not tonumber(word) then
        out.fail("%s: unknown option %s; `ipctl %s --help` lists them", verb.name, word, verb.name)
      end
      parsed[#parsed + 1] = word
    else
      local option = find(verb, name)
      if option[2] and not word:find("=", 1, true) then
        i = i + 1
        value = given[i]
        if not value then out.fail("%s: --%s wants %s", verb.name, name, option[2]) end
      elseif not option[2] and word:find("=", 1, true) then
        out.fail("%s: --%s has no value", verb.name, name)
      end
      parsed[name:gsub("%-", "_")] = option[2] and value or true
    end
    i = i + 1
  end
  return parsed
end

-- The value of an option as a number; nil: it was not given.
function args.number(parsed, name, least)
  local text = parsed[name]
  local number = text and tonumber(text)
  if text and (not number or number ~= number or number < (least or 0)) then
    out.fail("--%s must be a number, %g or more, not '%s'", name:gsub("_", "-"), least or 0, text)
  end
  return number
end

function args.integer(parsed, name, least)
  local number = args.number(parsed, name, least)
  local integer = number and math.tointeger(number)
  if number and not integer then out.fail("--%s must be an integer, not %s", name:gsub("_", "-"), parsed[name]) end
  return integer
end

-- So many arguments at least, and at most.
function args.count(verb, parsed, least, most)
  if #parsed < least or most and #parsed > most then
    out.fail("usage: ipctl %s %s", verb.name, verb.usage)
  end
end

return args
