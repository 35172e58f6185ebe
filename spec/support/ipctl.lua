-- SPDX-License-Identifier: MIT
-- For specs of ipctl: runs the program beside the host that is tested, and reads what it prints.

local ipc = require "ipc"
local assert = require "luassert"
local cjson = require "cjson"
local waits = require "spec.support.waits"

local ipctl = {}

ipctl.program = ((os.getenv("IPCLUA") or "build/ipclua"):gsub("ipclua[^/]*$", "ipctl"))

local function content(file)
  file:seek("set")
  local text = file:read("a")
  file:close()
  return text
end

-- Starts it with these arguments; `stdin` and `env` are fields of the same table. Returns the child, and a function
-- that waits for its end: status, standard output, standard error; a signal is 128 and its number.
function ipctl.start(arguments)
  local out, err = assert(io.tmpfile()), assert(io.tmpfile())
  local command = table.move(arguments, 1, #arguments, 2, {ipctl.program})
  local input
  if arguments.stdin then
    input = assert(io.tmpfile())
    input:write(arguments.stdin)
    input:seek("set")
  end
  command.stdin, command.stdout, command.stderr, command.env = input or "null", out, err, arguments.env
  local child = assert(ipc.process(command))
  return child, function()
    local _, how, code = child:wait(waits.PATIENCE)
    assert.not_equal("timeout", how)
    if input then input:close() end
    return how == "exit" and code or 128 + code, content(out), content(err)
  end
end

function ipctl.run(arguments)
  local _, finish = ipctl.start(arguments)
  return finish()
end

-- The same, for one that ends with 0 and says nothing on standard error.
function ipctl.output(...)
  local status, text, problem = ipctl.run{...}
  assert.same({0, ""}, {status, problem})
  return text
end

-- One that fails: its line on standard error.
function ipctl.failure(...)
  local status, text, problem = ipctl.run{...}
  assert.same({2, ""}, {status, text})
  assert.truthy(problem:find("^ipctl: [^\n]*\n$"), problem)
  return problem:sub(#"ipctl: " + 1, -2)
end

-- Lines of JSON, decoded.
function ipctl.lines(text)
  local list = {}
  for line in text:gmatch("[^\n]+") do list[#list + 1] = cjson.decode(line) end
  return list
end

function ipctl.json(...)
  return ipctl.lines(ipctl.output(...))
end

-- The text of a key, as it is written on a command line.
function ipctl.text_of(key)
  return (tostring(key):match("%((.*)%)$"))
end

-- What `ls` calls it.
function ipctl.name_of(key)
  return key.id and ("sysv:0x%08x"):format(key.id & 0xffffffff) or ipctl.text_of(key)
end

-- What `ls` tells of a key and a noun; nil: nothing. That there is nothing at all is status 1.
function ipctl.find(key, noun, ...)
  local status, text, problem = ipctl.run{"ls", "--json", ...}
  assert.equal("", problem)
  assert.is_true(status < 2)
  for _, object in ipairs(ipctl.lines(text)) do
    if object.key == key and object.noun == noun then return object end
  end
end

return ipctl
