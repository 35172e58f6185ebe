-- SPDX-License-Identifier: MIT
-- JSON as ipctl writes it: a line, in which nothing can change what a terminal does. What is read is only checked and
-- never decoded: a message keeps its numbers and the order of its names.

local json = {}

local DEPTH <const> = 1000

-- What a terminal may take for a command, and what turns the direction of text: written as \uXXXX.
local function escape_code(text)
  return ("\\u%04x"):format(utf8.codepoint(text))
end

-- Of valid UTF-8.
local function escape_controls(text)
  text = text:gsub("[\0-\31\127]", escape_code)
  text = text:gsub("\xC2[\x80-\x9F]", escape_code)
  text = text:gsub("\xE2[\x80\x81][\x80-\xBF]", function(code)
    local point = utf8.codepoint(code)
    local bidi = point >= 0x202A and point <= 0x202E or point >= 0x2066 and point <= 0x2069
    return (bidi or point >= 0x200E and point <= 0x200F or point == 0x2028 or point == 0x2029) and escape_code(code)
      or nil
  end)
  return (text:gsub("\xD8\x9C", escape_code))
end

-- Bytes that are not UTF-8 become the characters of their numbers.
local function repair(text)
  local parts, from = {}, 1
  while true do
    local _, bad = utf8.len(text, from)
    if not bad then break end
    parts[#parts + 1] = text:sub(from, bad - 1)
    parts[#parts + 1] = utf8.char(text:byte(bad))
    from = bad + 1
    if from > #text then break end
  end
  parts[#parts + 1] = text:sub(from)
  return table.concat(parts)
end

-- Any bytes as a string of JSON.
function json.string(text)
  local body = repair(text):gsub('["\\]', "\\%0")
  return '"' .. escape_controls(body) .. '"'
end

-- Any bytes as text of one line that is harmless on a terminal.
function json.plain(text)
  return escape_controls(repair(text))
end

-- Reading: each function answers the position behind what it has read, or nil ---------------------------

local value

local function skip(text, at)
  return text:find("[^ \t\r\n]", at) or #text + 1
end

local function read_string(text, at)
  at = at + 1
  while true do
    local found = text:find('["\\%c]', at)
    local char = found and text:sub(found, found)
    if char == '"' then return found + 1 end
    if char ~= "\\" then return char == "\127" and read_string(text, found) or nil end
    local escaped = text:match('^["\\/bfnrt]()', found + 1) or text:match("^u%x%x%x%x()", found + 1)
    if not escaped then return nil end
    at = escaped
  end
end

local function read_number(text, at)
  local behind = text:match("^-?0()", at) or text:match("^-?[1-9]%d*()", at)
  if not behind then return nil end
  behind = text:match("^%.%d+()", behind) or behind
  return text:match("^[eE][+-]?%d+()", behind) or behind
end

-- "[" or "{" up to its end; `item` reads what stands between the commas.
local function read_list(text, at, close, depth, item)
  at = skip(text, at + 1)
  if text:sub(at, at) == close then return at + 1 end
  while true do
    at = item(text, at, depth)
    if not at then return nil end
    at = skip(text, at)
    local char = text:sub(at, at)
    if char == close then return at + 1 end
    if char ~= "," then return nil end
    at = skip(text, at + 1)
  end
end

local function read_pair(text, at, depth)
  if text:sub(at, at) ~= '"' then return nil end
  at = read_string(text, at)
  at = at and skip(text, at)
  if not at or text:sub(at, at) ~= ":" then return nil end
  return value(text, skip(text, at + 1), depth)
end

function value(text, at, depth)
  local char = text:sub(at, at)
  if depth > DEPTH then return nil end
  if char == '"' then return read_string(text, at) end
  if char == "{" then return read_list(text, at, "}", depth + 1, read_pair) end
  if char == "[" then return read_list(text, at, "]", depth + 1, value) end
  return text:match("^true()", at) or text:match("^false()", at) or text:match("^null()", at) or read_number(text, at)
end

-- Whether the text is JSON, one value and nothing else.
function json.is_valid(text)
  local at = value(text, skip(text, 1), 0)
  return at ~= nil and skip(text, at) > #text
end

-- Valid JSON as one line that is safe: outside of its strings there are no characters but white space that could harm.
function json.line(text)
  return escape_controls((repair(text):gsub("^%s+", ""):gsub("%s+$", ""):gsub("[\t\r\n]", " ")))
end

-- Writing ------------------------------------------------------------------------------------------------

-- A table that stands for JSON which is written as it is.
function json.raw(text)
  return {json = text}
end

local encode

local function encode_list(list)
  local parts = {}
  for i, item in ipairs(list) do parts[i] = encode(item) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function encode_object(object)
  local names, parts = {}, {}
  for name in pairs(object) do names[#names + 1] = tostring(name) end
  table.sort(names)
  for i, name in ipairs(names) do parts[i] = json.string(name) .. ":" .. encode(object[name]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- Values of ours: text, numbers, booleans, lists and tables of names.
function encode(item)
  local kind = type(item)
  if kind == "string" then return json.string(item) end
  if math.type(item) == "float" then
    return item ~= item and "null" or math.abs(item) == math.huge and "null" or ("%.17g"):format(item)
  end
  if kind ~= "table" then return tostring(item) end
  if item.json then return item.json end
  return (item[1] ~= nil or item.list) and encode_list(item) or encode_object(item)
end

json.encode = encode

return json
