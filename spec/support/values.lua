-- SPDX-License-Identifier: MIT
-- Random values for the codecs, a strict comparison, and the property itself: what a channel carries arrives as it was.

local null = require "ipc".null
local random, unpack, pack = math.random, string.unpack, string.pack

local INTEGERS = {0, 1, -1, 127, 128, -128, -129, 1 << 31, 2^53 // 1 | 0, (1 << 53) + 1, (1 << 53) - 1, -(1 << 53) - 1,
  99999999999999, 100000000000000, 999999999999999, 1000000000000000, math.maxinteger, math.mininteger}
local FLOATS = {0.0, -0.0, 0.1, 0.1 + 0.2, 1 / 3, 2.0^53, 2.0^53 + 2, 2.0^63, -2.0^63, 2.0^64, 1e14, 1e15, 1e16,
  1e17, 1e22, 1e23, 1e300, 1.7976931348623157e308, 2.2250738585072014e-308, 2.225073858507201e-308, 5e-324,
  123456789012345.67, 0.12345678901234568, 99999999999999.98, 1e-5, 9.999999999999999e-6, 1700000000.123456, 3.0, -2.5}
local STRINGS = {"", "\0", "a\0b", "ä€😀", "\xff", "\xc3", "\xed\xa0\x80", "\"\\/\b\f\n\r\t\1\x1f\x7f", "\\u0041",
  "null", "12345678901234567", "-1", "1e5", "[12345678901234567890]", "\xff0:12345678901234567", "\xff1:5"}

local function integer()
  local kind = random(4)
  if kind == 1 then return INTEGERS[random(#INTEGERS)] end
  if kind == 2 then return random(-1000, 1000) end
  return random(0) >> random(0, 63)
end

local function float()
  local kind = random(5)
  if kind == 1 then return FLOATS[random(#FLOATS)] end
  if kind == 2 then return random() end
  if kind == 3 then return random(-10^15 // 1 | 0, 10^15 // 1 | 0) / 10^random(0, 15) end
  if kind == 4 then return random(-10^6 // 1 | 0, 10^6 // 1 | 0) / 10^random(0, 3) end
  local d = unpack("<d", pack("<j", random(0)))
  return d - d == 0 and d or 0.5
end

local function text()
  local kind = random(4)
  if kind == 1 then return STRINGS[random(#STRINGS)] end
  local bytes = {}
  for i = 1, random(0, kind == 2 and 90 or 12) do bytes[i] = string.char(random(0, 255)) end
  return table.concat(bytes)
end

local scalars = {
  integer, integer, float, float, text, text, function() return random(2) == 1 end, function() return null end,
}

local function json(depth)
  local kind = depth > 0 and random(12) or 1
  if kind <= 10 then return scalars[random(#scalars)]() end
  local t = {}
  for i = 1, random(0, 6) do
    if kind == 11 then t[i] = json(depth - 1) else t[text()] = json(depth - 1) end
  end
  return t
end

-- every Lua value that has a binary form: tables with holes, and keys of all kinds
local function any(depth)
  local kind = depth > 0 and random(13) or 1
  if kind <= 8 then return scalars[random(#scalars)]() end
  if kind == 9 then return ({0 / 0, 1 / 0, -1 / 0})[random(3)] end
  local t = {}
  for i = 1, random(0, 6) do
    local key = kind == 10 and i or kind == 11 and i * random(3) or any(0)
    if key == key then t[key] = any(depth - 1) end
  end
  return t
end

local function bits(n) return pack("<d", n) end

-- as it was; a whole float may have become an integer where `loose`
local function same(a, b, loose)
  if type(a) ~= "table" or type(b) ~= "table" then
    if math.type(a) == "float" and (not loose or math.type(b) == "float") then
      return math.type(b) == "float" and (bits(a) == bits(b) or a ~= a and b ~= b)
    end
    local whole = loose and math.type(b) == "integer" and bits(a) ~= bits(-0.0)
    return rawequal(a, b) and (whole or math.type(a) == math.type(b))
  end
  for k, v in pairs(a) do
    if not same(v, b[k], loose) then return false end
  end
  for k in pairs(b) do
    if a[k] == nil then return false end
  end
  return true
end

-- for an error message; not meant to be read back
local function show(value)
  if type(value) == "string" then return ("%q"):format(value) end
  if math.type(value) == "float" then return ("%.17g (%a)"):format(value, value) end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for k, v in pairs(value) do parts[#parts + 1] = ("[%s] = %s"):format(show(k), show(v)) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- Sends `count` random values and more, in lists, and reads them at the other end. Raises, and names the seed.
local function carry(codec, count, seed)
  math.randomseed(seed)
  local a, b = require "ipc".stream_channel_pair{codec = codec}
  local _ <close> = a
  local _ <close> = b
  local make, loose = codec == "json" and json or any, codec == "json"
  for _ = 1, count // 50 do
    local values = {}
    for i = 1, 50 do values[i] = make(3) end
    a:send(values)
    local got, why = b:receive(10)
    for i = 1, 50 do
      if not got or not same(values[i], got[i], loose) then
        error(("codec %s, seed %d: %s came back as %s"):format(codec, seed, show(values[i]),
          got and show(got[i]) or why), 0)
      end
    end
  end
  return "carried"
end

return {INTEGERS = INTEGERS, FLOATS = FLOATS, STRINGS = STRINGS, same = same, carry = carry}
