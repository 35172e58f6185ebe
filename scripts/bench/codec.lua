-- SPDX-License-Identifier: MIT
-- What a codec alone costs: encodes and decodes a table. Run by spec/support/codec_host.c, which provides both:
-- codec.lua lua|json|cjson|none small|numbers|words|records [encode|decode]. Prints ns per pair, or of one half.
-- none: what Lua takes for going through the table, and for making it anew with nothing to parse: the least there is.
-- luacheck: globals encode decode visit learn make

local codec, which, half = arg[1], arg[2], arg[3]
local tables = {small = {id = 17, name = "bench", values = {1, 2.5, "three"}}, numbers = {}, words = {}, records = {}}
for i = 1, 100 do
  tables.numbers[i] = i % 3 == 0 and i * 0.37 or i * 1001
  tables.words["key" .. i] = "the value of " .. i
  if i <= 20 then tables.records[i] = {id = i, x = i / 7, y = i * 1.5, name = "record " .. i, valid = i % 2 == 0} end
end

local message = tables[which]
local n = which == "small" and 300000 or 10000
local start
if codec == "cjson" then
  local cjson = require "cjson"
  local write, read = cjson.encode, cjson.decode
  start = os.clock()
  for _ = 1, n do read(write(message)) end
elseif codec == "none" then
  local visit, make, size = visit, make, #encode("lua", message)
  learn(message)
  start = os.clock()
  for _ = 1, n do
    visit(message, size)
    make()
  end
else
  local encode, decode = encode, decode
  local bytes = encode(codec, message)
  start = os.clock()
  if half == "encode" then
    for _ = 1, n do encode(codec, message) end
  elseif half == "decode" then
    for _ = 1, n do decode(codec, bytes) end
  else
    for _ = 1, n do decode(codec, encode(codec, message)) end
  end
end
print((os.clock() - start) / n * 1e9)
