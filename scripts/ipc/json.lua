-- SPDX-License-Identifier: MIT
-- JSON by lua-cjson, with exact numbers. Old versions of it write 14 digits, and all of them read an integer beyond
-- 2^53 as the nearest float. So a number that would suffer travels through cjson as a marked string, and the mark
-- is taken off on the other side of it; what is on the wire is plain JSON. codec.c decides who needs this.

local cjson, encode, decode -- loaded with the first message

local function load_cjson()
  local ok, found = pcall(require, "cjson")
  if not ok then error("the json codec needs lua-cjson (Debian: lua-cjson; LuaRocks: lua-cjson)", 0) end
  cjson = found.new() -- its settings are ours alone
  cjson.encode_max_depth(1000)
  cjson.decode_max_depth(1000)
  cjson.encode_invalid_numbers(false)
  cjson.decode_invalid_numbers(false)
  encode, decode = cjson.encode, cjson.decode
end

-- a string that the text does not contain
local function make_mark(text)
  local mark
  repeat mark = ("\1%x\1"):format(math.random(0)) until not text:find(mark, 1, true)
  return mark
end

local function number_text(n)
  if math.type(n) == "integer" then return ("%d"):format(n) end
  local text = ("%.17g"):format(n)
  for digits = 15, 16 do
    local shorter = ("%%.%dg"):format(digits):format(n)
    if tonumber(shorter) == n then text = shorter break end
  end
  return text
end

-- a copy in which each number that has to be exact is a marked string
local function marked(value, mark, depth)
  local kind = math.type(value)
  if kind == "integer" or (kind and value == value and value ~= math.huge and value ~= -math.huge) then
    return mark .. number_text(value) .. mark
  elseif type(value) ~= "table" or depth > 1000 then
    return value
  end
  local copy = setmetatable({}, getmetatable(value))
  for k, v in pairs(value) do
    if math.type(k) == "float" then k = number_text(k) end
    rawset(copy, k, marked(v, mark, depth + 1))
  end
  return copy
end

local function encode_exact(value)
  if not cjson then load_cjson() end
  local mark = ("\1%x\1"):format(math.random(0))
  local escaped = '"' .. mark:gsub("\1", "\\u0001")
  local text = encode(marked(value, mark, 1))
  local closing = escaped:sub(2) .. '"'
  return (text:gsub(escaped .. "([^\\]*)" .. closing, "%1"))
end

local function end_of_string(text, start)
  local at = text:find('["\\]', start + 1)
  while at and text:sub(at, at) == "\\" do at = text:find('["\\]', at + 2) end
  return at
end

-- the number literals of a text that a float cannot hold become marked strings; strings are passed over
local function protect(text, mark)
  local out, at = {}, 1
  local quoted = '"' .. mark:gsub("\1", "\\u0001")
  local closing = quoted:sub(2) .. '"'
  while true do
    local start, stop = (text:find('["%-%d]', at))
    if not start then break end
    out[#out + 1] = text:sub(at, start - 1)
    if text:sub(start, start) == '"' then
      stop = end_of_string(text, start)
      if not stop then return text end -- not JSON: cjson will say so
      out[#out + 1] = text:sub(start, stop)
    else
      stop = select(2, text:find("^%-?[%d%.eE%+%-]*", start))
      local literal = text:sub(start, stop)
      local exact = literal:match("^%-?%d+$") and #literal > 15 and math.type(tonumber(literal)) == "integer"
      out[#out + 1] = exact and quoted .. literal .. closing or literal
    end
    at = stop + 1
  end
  out[#out + 1] = text:sub(at)
  return table.concat(out)
end

local function unmarked(value, mark)
  if type(value) == "string" then
    if value:sub(1, #mark) == mark then return math.tointeger(tonumber(value:sub(#mark + 1, -#mark - 1))) end
  elseif type(value) == "table" then
    for k, v in pairs(value) do value[k] = unmarked(v, mark) end
  end
  return value
end

local function decode_exact(text)
  if not cjson then load_cjson() end
  local mark = make_mark(text)
  return unmarked(decode(protect(text, mark)), mark)
end

return {
  encode = function(value)
    if not cjson then load_cjson() end
    return encode(value)
  end,
  decode = function(text)
    if not cjson then load_cjson() end
    return decode(text)
  end,
  encode_exact = encode_exact,
  decode_exact = decode_exact,
}
