-- SPDX-License-Identifier: MIT
-- Bytes that no sender of ours writes, read by both codecs. Run by codec_host.c, which provides encode and decode.
-- luacheck: globals encode decode

local null = require "ipc".null
local values = require "spec.support.values"

local function fails(codec, bytes, why)
  local value, message = decode(codec, bytes)
  if value ~= nil then error(("%s read %q as %s"):format(codec, bytes, tostring(value)), 2) end
  if not message:find(why, 1, true) then error(("%s said of %q: %s"):format(codec, bytes, message), 2) end
end

local function reads(codec, bytes, expected)
  local value, message = decode(codec, bytes)
  if not values.same(expected, value) then
    error(("%s read %q as %s (%s)"):format(codec, bytes, tostring(value), tostring(message)), 2)
  end
end

-- the binary form

local whole = encode("lua", {1, -1, 1000, 1 << 20, 1 << 40, 2.5, "short", ("x"):rep(100), ("y"):rep(300), true, false,
  null, {a = {}, [2.5] = "b"}, ("z"):rep(64)})
assert(decode("lua", whole))
for length = 0, #whole - 1 do
  local value, message = decode("lua", whole:sub(1, length))
  assert(value == nil and message, length)
end
fails("lua", "", "no bytes at all")
fails("lua", whole .. "\0", "left over")
fails("lua", "\2" .. whole:sub(2), "version 2, not 1")
fails("lua", "\1\x20", "no value begins with byte 0x20")
fails("lua", "\1\x45abc", "end in the middle of a value")
fails("lua", "\1\10\xff\xff\xff\xffabc", "end in the middle of a value")
fails("lua", "\1\11\0\1\0\0", "a key of a table is nil")
fails("lua", "\1\11\0\1\8" .. ("<d"):pack(0 / 0) .. "\0", "a key of a table is NaN")
fails("lua", "\1\12\xff\xff\xff\xff\xff\xff\xff\xffabc", "larger than the bytes that are left")
-- each table claims what is left once more
fails("lua", "\1" .. ("\12\x10\0\0\0\0\0\0\0"):rep(4) .. ("\0"):rep(16), "larger than the bytes that are left")
fails("lua", "\1" .. ("\11\1\0"):rep(201) .. "\0", "nested more than 200 deep")
assert(decode("lua", "\1" .. ("\11\1\0"):rep(200) .. "\0"))
fails("lua", "\1" .. ("\11\1\0"):rep(1000000) .. "\0", "nested more than 200 deep")
do -- a claim costs no memory that the bytes do not pay for
  collectgarbage()
  local before = collectgarbage("count")
  fails("lua", "\1\12\0\0\0\x10\0\0\0\0" .. ("\0"):rep(1000), "larger than the bytes that are left")
  assert(collectgarbage("count") - before < 100)
end
assert(encode("lua", 5) == "\1\x85" and encode("lua", -2) == "\1\4\xfe" and encode("lua", "ab") == "\1\x42ab")
assert(encode("lua", {7, x = true}) == "\1\11\1\1\x87\x41x\2", "the form is written down")
assert(encode("lua", 1.0) == "\1\8\0\0\0\0\0\0\xf0\x3f")
assert(encode("lua", nil) == "\1\0" and decode("lua", "\1\0") == nil)

-- JSON

reads("json", "[1, 2.5e0 ,-3,1e3 , 12345678901234567]", {1, 2.5, -3, 1000, 12345678901234567})
reads("json", "9223372036854775807", math.maxinteger)
reads("json", "-9223372036854775808", math.mininteger)
reads("json", "9223372036854775808", 2.0^63)
reads("json", "-9223372036854775809", -2.0^63)
reads("json", "[123456789012345678901234567890]", {123456789012345678901234567890.0})
reads("json", '{"12345678901234567":"12345678901234567"}', {["12345678901234567"] = "12345678901234567"})
reads("json", '["\\"12345678901234567,\xff0:12345678901234567", 12345678901234568]',
  {'"12345678901234567,\xff0:12345678901234567', 12345678901234568})
reads("json", "[0.12345678901234567,12345678901234567.5,1234567890123456789e-18]",
  {0.12345678901234567, 12345678901234567.5, 1234567890123456789e-18})
reads("json", "[0, -0, -0.0, 0e5, 1.0, 1E+2, 1e-400, 5e-324, 2.5e-5]",
  {0, -0.0, -0.0, 0, 1, 100, 0, 5e-324, 2.5e-5})
reads("json", "0." .. ("0"):rep(1000) .. "25e1001", 2.5)
reads("json", ("9"):rep(25) .. "." .. ("9"):rep(25), 1e25)
reads("json", '"\\ud83d\\ude00\\u00e9\\u20AC\\u0000\\/\\b\\f\\n\\r\\t\\"\\\\"', "😀é€\0/\b\f\n\r\t\"\\")
reads("json", '"\xff\xed\xa0\x80\x7f"', "\xff\xed\xa0\x80\x7f")
reads("json", ' \t\r\n{ "a" : 1 , "b" : [ ] , "a" : { } } ', {a = {}, b = {}})
for text, why in pairs {
  [""] = "Expected value", [" "] = "Expected value", ["["] = "Expected value", ["{"] = "Expected object key string",
  ['"'] = "a string without an end at byte 2", ['"\\'] = "a string without an end", ["[1,]"] = "Expected value",
  ["{1:2}"] = "Expected object key string", ['{"a" 1}'] = "Expected colon", ['{"a":1,}'] = "Expected object key string",
  ["[1 2]"] = "Expected comma or array end", ['{"a":1]'] = "Expected comma or object end",
  ["01"] = "number that JSON does not have", ["0123456789012345678"] = "number that", ["0x10"] = "no value begins",
  ["1 2"] = "Expected the end", ["1\0"] = "no value begins at byte 2", ["[] //"] = "no value begins at byte 4",
  ["-"] = "a number that JSON does not have", ["1."] = "a number that JSON does not have", ["1.e5"] = "number that",
  ["1e"] = "number that", ["1e+"] = "number that", ["-.5"] = "number that", [".5"] = "no value begins",
  ["+1"] = "no value begins",
  ["1e400"] = "a number too large for a float", ["-1e400"] = "a number too large", [("9"):rep(400)] = "too large",
  nan = "no value begins at byte 1", NaN = "no value", inf = "no value", Infinity = "no value",
  tru = "no value", ["'a'"] = "no value",
  ["\xef\xbb\xbf1"] = "no value begins at byte 1", ['"\\ud800"'] = "invalid unicode escape",
  ['"\\ud800\\u0041"'] = "invalid unicode escape", ['"\\udc00\\ud800"'] = "invalid unicode escape",
  ['"\\x"'] = "invalid escape code", ['"\\u12g4"'] = "invalid unicode escape", ['"\\u12"'] = "invalid unicode escape",
  ['"a\0"'] = "a control character in a string at byte 3", ['"\n"'] = "a control character",
  ['"\\\n"'] = "invalid escape",
} do
  fails("json", text, why)
end
assert(decode("json", ("["):rep(1000) .. ("]"):rep(1000)))
fails("json", ("["):rep(1001) .. ("]"):rep(1001), "nested")
assert(encode("json", {3.0, -0.0, 0.1, 1e300, 1 / 3}) == "[3,-0.0,0.1,1e+300,0.3333333333333333]")

-- Of the texts that are read as the float, the shortest.
for text, number in pairs{
  ["0.30000000000000004"] = 0.1 + 0.2, ["1.7976931348623157e+308"] = 0x1.fffffffffffffp1023, ["0.5"] = 2.0^-1,
  ["0.0001"] = 1e-4, ["1e-05"] = 1e-5,
  ["9.99999999999999e-06"] = 9.99999999999999e-6, ["1e-06"] = 1e-6, ["1e-38"] = 1e-38,
  ["1e-39"] = 1e-39, ["1e+15"] = 1e15, ["9.007199254740991e+15"] = 2.0^53 - 1, ["9.5367431640625e-07"] = 2.0^-20,
  ["999999999999999.9"] = 999999999999999.9, ["1.0000000000000005e+15"] = 1e15 + 0.5, ["-123.456"] = -123.456,
} do
  assert(encode("json", number) == text, encode("json", number))
end
for _ = 1, 20000 do
  local number = string.unpack("d", string.pack("J", math.random(0) & ~(0x7ff << 52) | math.random(900, 1080) << 52))
  for _, float in ipairs{number, math.random(-1 << 40, 1 << 40) / 10^math.random(0, 15), 2.0^math.random(-140, 70)} do
    local text = encode("json", float)
    assert(tonumber(text) == float and (#text <= #("%.17g"):format(float) or math.abs(float) > 1e15), text)
    local digits = #text:gsub("e.*", ""):gsub("%D", ""):gsub("^0+", ""):gsub("0+$", "")
    assert(digits <= 1 or tonumber(("%%.%de"):format(digits - 2):format(float)) ~= float, text)
  end
end
assert(encode("json", "\1\31\"\\/\n\127é\xff") == [["\u0001\u001f\"\\/\n\u007fé]] .. '\xff"')
print("ok")
