-- SPDX-License-Identifier: MIT
-- Programs whose disk loses what was not synced (peers/power_cut.c): what they leave, and what they had said before.

local assert = require "luassert"
local peer = require "spec.support.peer"

local IPCLUA = os.getenv("IPCLUA") or "build/ipclua"

local power_cut = {}

local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- Runs code that finds its folder in $FOLDER; settings are those of power_cut.c. Returns the lines that it printed.
function power_cut.run(folder, code, settings)
  local words = {"LD_PRELOAD=" .. peer.compile("power_cut.c", "-shared -fPIC -ldl")}
  for name, value in pairs(settings) do words[#words + 1] = ("CUT_%s=%s"):format(name, value) end
  local command = ("{ FOLDER=%s %s %s -e %s; } 2>&1"):format(folder, table.concat(words, " "), IPCLUA, quoted(code))
  local pipe = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do lines[#lines + 1] = line end
  pipe:close()
  return lines
end

-- How many events there are in a program that is not cut.
function power_cut.count(folder, code)
  local path = os.tmpname()
  local lines = power_cut.run(folder, code, {COUNT = path})
  local file <close> = assert(io.open(path))
  local count = file:read("n")
  os.remove(path)
  return assert(count, table.concat(lines, "\n")), lines
end

-- The power is cut at the event `at`; a folder that is made has what the disk has then.
function power_cut.cut(folder, code, at, seed, left)
  assert(os.execute(("rm -rf %s && mkdir -m 700 %s"):format(left, left)))
  return power_cut.run(folder, code, {AT = at, SEED = seed, IMAGE = left .. "/data.mdb"})
end

-- Has the power been cut, and left something?
function power_cut.exists(folder)
  local file <close> = io.open(folder .. "/data.mdb")
  return file ~= nil
end

return power_cut
