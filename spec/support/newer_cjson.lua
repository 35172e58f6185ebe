-- SPDX-License-Identifier: MIT
-- lua-cjson as its rock 2.1.0.10 and later read numbers, over whichever version is installed: an integer literal goes
-- through strtoll, so it stays an integer, is cut to 64 bits, and has no negative zero. All else is the
-- installed version's. Only reading: the codec writes JSON itself.

local real = require "cjson"

local function strtoll(literal)
  local n = math.tointeger(tonumber(literal))
  if n and n ~= 0 and math.type(tonumber(literal)) == "integer" then return n end
  if tonumber(literal) == 0 then return 0 end
  return literal:sub(1, 1) == "-" and math.mininteger or math.maxinteger
end

local function end_of_string(text, start)
  local at = text:find('["\\]', start + 1)
  while at and text:sub(at, at) == "\\" do at = text:find('["\\]', at + 2) end
  return at or #text
end

-- the text with its integer literals as strings that no other string is
local function protect(text, mark)
  local out, at = {}, 1
  while true do
    local start = text:find('["%-%d]', at)
    if not start then break end
    out[#out + 1] = text:sub(at, start - 1)
    local stop, literal
    if text:sub(start, start) == '"' then
      stop = end_of_string(text, start)
      literal = text:sub(start, stop)
    else
      stop = select(2, text:find("^[%d%.eE%+%-]+", start))
      literal = text:sub(start, stop)
      if literal:match("^%-?[1-9]%d*$") or literal:match("^%-?0$") then literal = '"' .. mark .. literal .. '"' end
    end
    out[#out + 1], at = literal, stop + 1
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

local function unmarked(value, mark)
  if type(value) == "string" and value:sub(1, #mark) == mark then return strtoll(value:sub(#mark + 1)) end
  if type(value) == "table" then
    for k, v in pairs(value) do value[k] = unmarked(v, mark) end
  end
  return value
end

local function new()
  local inner, outer = real.new(), {new = new}
  for name, value in pairs(inner) do outer[name] = outer[name] or value end
  function outer.decode(text)
    local mark = "\xfe#"
    while text:find(mark, 1, true) do mark = mark .. "#" end
    return unmarked(inner.decode(protect(text, mark)), mark)
  end
  return outer
end

return new()
