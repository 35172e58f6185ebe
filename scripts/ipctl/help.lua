-- SPDX-License-Identifier: MIT
-- What ipctl says of itself, from the table of verbs.

local args = require "ipctl.args"
local verbs = require "ipctl.verbs"

local help = {}

local function pad(text, width)
  return text .. (" "):rep(width - #text)
end

-- All verbs, each in a line.
function help.all()
  local lines = {"usage: ipctl VERB [options] [arguments]", "", "Shows and mends what is behind the keys of ipc.", ""}
  for _, verb in ipairs(verbs) do lines[#lines + 1] = "  " .. pad(verb.name, 12) .. verb.summary end
  lines[#lines + 1] = ""
  lines[#lines + 1] = "`ipctl VERB --help` tells more. A key is shm:NAME, file:/PATH?project=N, disk:/PATH?name=NAME or"
  lines[#lines + 1] = "redis://HOST/DB/NAME. Exit status: 0; 1 nothing there, or a timeout; 2 an error."
  return table.concat(lines, "\n") .. "\n"
end

-- What a verb does, in sentences.
function help.text_of(verb)
  return verb.text or verb.summary:gsub("^%l", string.upper) .. "."
end

-- One verb: how it is called, what it does, its options.
function help.of(verb)
  local lines = {("usage: ipctl %s %s"):format(verb.name, verb.usage), "", help.text_of(verb), ""}
  for _, option in ipairs(args.options(verb)) do
    local form = "--" .. option[1] .. (option[2] and " " .. option[2] or "")
    lines[#lines + 1] = "  " .. pad(form, 24) .. " " .. option[3]
  end
  return table.concat(lines, "\n") .. "\n"
end

return help
