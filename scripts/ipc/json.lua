-- SPDX-License-Identifier: MIT
-- Loads lua-cjson for the codec "json", which reads with it, and finds out how the installed version reads integers:
-- the older ones make floats of all, the newer ones keep those of 64 bits and cut longer ones. bindings/codec/json.c
-- makes good what is missing, and only that.

local DEPTH = 1000 -- IL_JSON_DEPTH

-- nil, message: it is not there
local function load_cjson()
  local found, module = pcall(require, "cjson")
  if not found then
    local missing = type(module) == "string" and module:find("module 'cjson'", 1, true)
    if not missing then error(module, 0) end -- what came between: an interrupt
    return nil, "the json codec needs lua-cjson (Debian: lua-cjson; LuaRocks: lua-cjson)"
  end
  local cjson = module.new() -- its settings are ours alone
  cjson.decode_max_depth(DEPTH)
  cjson.decode_invalid_numbers(false)
  local least, zero = cjson.decode("-9223372036854775808"), cjson.decode("0")
  return cjson.decode, math.type(zero) == "integer" and math.type(least) == "integer" and least == math.mininteger
end

return {load = load_cjson}
