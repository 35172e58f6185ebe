-- SPDX-License-Identifier: MIT
-- What the codec alone costs: cjson encodes and decodes the small table. Prints ns per pair.
local cjson = require "cjson"
local encode, decode = cjson.encode, cjson.decode
local n = 500000
local message = {id = 17, name = "bench", values = {1, 2.5, "three"}}
local start = os.clock()
for _ = 1, n do decode(encode(message)) end
print((os.clock() - start) / n * 1e9)
