-- SPDX-License-Identifier: MIT
-- Keys on the command line, and the objects behind them, which are opened and not made unless that is asked for.

local ipc = require "ipc"
local out = require "ipctl.out"

local keys = {}

local ENOENT <const>, EEXIST <const>, ENOTSUP <const> = 2, 17, 95
-- the nouns that are opened with a number, which the failure tells to a program that asks for another
local numbers <const> = {semaphore = "a max of (%d+)", shared_memory = " has (%d+) slots"}

-- Is the text a key, and no path?
function keys.is_key(text)
  for _, start in ipairs{"shm:", "file:", "disk:", "redis:", "rediss:", "redis+unix:", "redis+sentinel:"} do
    if text:sub(1, #start) == start then return true end
  end
  return false
end

-- The key that a text names.
function keys.of(text)
  local ok, key, problem = pcall(ipc.key, text)
  if not ok then
    local reason = tostring(key):gsub("^.-bad argument #1 to '[^']*' ", ""):gsub("^%((.*)%)$", "%1")
    out.fail("%s is no key: %s", text, reason)
  end
  return out.check(key, problem)
end

-- Whether a constructor has failed because there is no object; a server's socket that is not there is another ENOENT.
function keys.is_none(problem, errno)
  return errno == ENOENT and problem:find("there is none", 1, true) ~= nil
end

-- The object of a noun behind a key: a handle, and its max or slots; false and the reason, if it is there and cannot
-- be opened; nil: none.
function keys.find(noun, key, options)
  options = options or {}
  options.create = false
  local pattern <const> = numbers[noun]
  local object, problem, errno
  local number = 1
  if not pattern then
    object, problem, errno = ipc[noun](key, options)
  else
    object, problem, errno = ipc[noun](key, number, options)
    number = errno == EEXIST and math.tointeger(tonumber(problem:match(pattern) or number)) or number
    if errno == EEXIST then object, problem, errno = ipc[noun](key, number, options) end
  end
  if object then return object, number end
  if errno == ENOTSUP or keys.is_none(problem, errno) then return nil end
  return false, problem, errno
end

-- An object of a key by a constructor of the module; `options` of that, with create if it may be made.
function keys.open(noun, text, options, ...)
  local key = keys.of(text)
  local arguments = table.pack(...)
  arguments[arguments.n + 1] = options
  local object, problem = ipc[noun](key, table.unpack(arguments, 1, arguments.n + 1))
  return out.check(object, problem)
end

return keys
