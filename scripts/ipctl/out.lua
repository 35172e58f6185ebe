-- SPDX-License-Identifier: MIT
-- What ipctl prints: lines, tables, and errors. A reader that has gone ends the program quietly, as SIGPIPE would, but
-- in order: a job that is taken goes back.

local json = require "ipctl.json"
local system = require "ipctl.system"

local out = {}

local EPIPE <const>, GONE <const> = 32, 141

local colours <const> = {red = "31", green = "32", yellow = "33", bold = "1", dim = "2"}
local coloured = system.is_terminal(1) and not os.getenv("NO_COLOR") and os.getenv("TERM") ~= "dumb"

local Failure = {__tostring = function(failure) return failure.text end}

-- Ends the verb: one line on standard error, and status 2.
function out.fail(format, ...)
  error(setmetatable({text = json.plain(format:format(...))}, Failure), 0)
end

-- The result of a call of the module, or an end with its reason: nil, message, errno.
function out.check(...)
  if not ... then out.fail("%s", tostring((select(2, ...)))) end
  return ...
end

local function written(ok, problem, errno)
  if ok then return end
  if errno == EPIPE then os.exit(GONE, true) end
  out.fail("standard output: %s", problem)
end

-- Writes bytes as they are; with all that was written before, they have arrived when this returns.
function out.write(text)
  written(io.stdout:write(text))
  written(io.stdout:flush())
end

function out.line(text)
  out.write(text .. "\n")
end

-- On standard error: what a person may want to know, and no failure.
function out.note(format, ...)
  io.stderr:write("ipctl: ", json.plain(format:format(...)), "\n")
end

function out.colour(name, text)
  if not coloured then return text end
  return ("\27[%sm%s\27[0m"):format(colours[name], text)
end

-- Rows below a head, in columns; a cell is a text, or {text, colour}. Columns whose name begins with ">" end at the
-- right.
function out.table(head, rows)
  local widths, lines = {}, {}
  local function text_of(cell)
    return json.plain(type(cell) == "table" and cell[1] or tostring(cell or ""))
  end
  for i, name in ipairs(head) do widths[i] = #name:gsub("^>", "") end
  for _, row in ipairs(rows) do
    for i in ipairs(head) do widths[i] = math.max(widths[i], utf8.len(text_of(row[i])) or 0) end
  end
  local function cell_of(i, cell)
    local text = text_of(cell)
    local room = (" "):rep(widths[i] - (utf8.len(text) or 0))
    if type(cell) == "table" and cell[2] then text = out.colour(cell[2], text) end
    if head[i]:find("^>") then return room .. text end
    return i < #head and text .. room or text
  end
  local function add(row)
    local cells = {}
    for i in ipairs(head) do cells[i] = cell_of(i, row[i]) end
    lines[#lines + 1] = (table.concat(cells, "  "):gsub(" +$", "")) .. "\n"
  end
  local names = {}
  for i, name in ipairs(head) do names[i] = {name:gsub("^>", ""):upper(), "bold"} end
  add(names)
  for _, row in ipairs(rows) do add(row) end
  out.write(table.concat(lines))
end

-- A list of tables, each in a line of its own, as JSON.
function out.json(list)
  for _, item in ipairs(list) do out.line(json.encode(item)) end
end

-- Bytes, as a person reads them.
function out.bytes(n)
  local units <const> = {"", "K", "M", "G", "T"}
  local unit = 1
  while n >= 1024 and unit < #units do
    n, unit = n / 1024, unit + 1
  end
  return (unit == 1 and "%d%s" or n < 10 and "%.1f%s" or "%.0f%s"):format(unit == 1 and n or n, units[unit])
end

-- Seconds, the same.
function out.age(seconds)
  if seconds < 0 then seconds = 0 end
  if seconds < 120 then return ("%.0fs"):format(seconds) end
  if seconds < 2 * 3600 then return ("%.0fm"):format(seconds / 60) end
  if seconds < 2 * 86400 then return ("%.0fh"):format(seconds / 3600) end
  return ("%.0fd"):format(seconds / 86400)
end

return out
