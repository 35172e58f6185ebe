-- SPDX-License-Identifier: MIT
-- The pages of doc/ and the README: every snippet is tried, and every link leads somewhere, here and where
-- `make install` puts the pages. A snippet is run in a folder of its own: what it says of /srv, /run/lock and /tmp is
-- there, names in shared memory are this spec's own, and db.example is a server of its own. How to tell what a snippet
-- needs: spec/support/pages.lua.

local ipc = require "ipc"
local engines = require "spec.support.engines"
local pages = require "spec.support.pages"

local host = os.getenv("IPCLUA") or "build/ipclua"

local function output_of(command)
  local pipe = assert(io.popen("exec 2>&1; " .. command))
  local text = pipe:read("a")
  return text, pipe:close()
end

local PATIENCE <const> = 60

local root = output_of("pwd"):match("[^\n]+")
if host:sub(1, 1) ~= "/" then host = root .. "/" .. host end

-- Where a snippet is tried ------------------------------------------------------------------------------

local folder
local names = ("spec.pages.%d."):format(ipc.pid())

local function make_folder()
  folder = output_of("mktemp -d /tmp/ipclua-pages.XXXXXX"):match("%S+")
  assert(os.execute(("mkdir -p %s/srv %s/run/lock %s/tmp"):format(folder, folder, folder)))
end

-- The objects behind the keys of its files, and those in /dev/shm.
local function remove_folder(files)
  for _, path in ipairs(files or {}) do
    for project = 0, 1 do
      local key = ipc.file_key(folder .. path, project)
      local id = key and ("0x%x"):format(key.id & 0xffffffff)
      if key then os.execute(("{ ipcrm -S %s; ipcrm -Q %s; ipcrm -M %s; } 2>/dev/null"):format(id, id, id)) end
    end
  end
  os.execute(("rm -rf %s /dev/shm/ipclua.*.%s*"):format(folder, names))
end

-- What the text says, in this world.
local function here(text)
  for _, place in ipairs{"/srv", "/run/lock", "/tmp"} do
    text = (text .. "\n"):gsub("([^%w/])(" .. place .. "[^%w])", "%1\0%2"):sub(1, -2)
  end
  text = text:gsub("%z", folder):gsub("shm:", "shm:" .. names):gsub('shm_key%("', "%0" .. names)
  if text:find("redis://db.example/", 1, true) then
    text = text:gsub("redis://db%.example/([%w/]+)", function(name)
      return ("redis+unix://%s?name=%s"):format(engines.redis.socket(), name)
    end)
  end
  return text
end

local function write(name, text)
  local path = folder .. "/" .. name
  local file <close> = assert(io.open(path, "w"))
  assert(file:write(text))
  return path
end

local function run(command)
  return output_of(("cd %s && timeout 60 %s </dev/null"):format(folder, command))
end

-- One space for many, no empty lines.
local function plain(text)
  return (text:gsub("[ \t]+", " "):gsub(" ?\n ?", "\n"):gsub("\n+", "\n"):gsub("^\n", ""):gsub("%s+$", ""))
end

local function expected(snippet)
  if snippet.prints ~= nil then return snippet.prints and plain(here(snippet.prints)) end
  if snippet.language == "console" then return plain((("\n" .. snippet.text):gsub("\n> [^\n]*", "\n"))) end
  local lines = {}
  for text in here(snippet.text):gmatch("%-%-> *([^\n]*)") do lines[#lines + 1] = text end
  return plain(table.concat(lines, "\n"))
end

-- How it is tried, by language --------------------------------------------------------------------------

local try = {}

function try.lua(snippet)
  local text = ('local ipc = require "ipc"\n%s\n%s\n%s\n'):format(here(snippet.before or ""), here(snippet.text),
    here(snippet.after or ""))
  assert(load(text, "@" .. snippet.page, "t"))
  if not snippet.compiled then return run(host .. " " .. write("snippet.lua", text)) end
end

-- What is typed at the prompt, and what that answers.
function try.console(snippet)
  local typed = {}
  for line in snippet.text:gmatch("> ([^\n]*)") do typed[#typed + 1] = line end
  local command = ("%s -i < %s 2>&1"):format(host, write("typed", table.concat(typed, "\n") .. "\n"))
  local text, ok = output_of(("cd %s && timeout 60 %s"):format(folder, command))
  return text:gsub("^[^\n]*\n", ""):gsub("> ", ""), ok
end

function try.sh(snippet)
  local path = write("snippet.sh", here(snippet.text))
  assert(os.execute("sh -n " .. path))
  if not snippet.compiled then return run("sh -e " .. path) end
end

function try.c(snippet)
  local source, program = write("snippet.c", here(snippet.text)), folder .. "/snippet"
  local text, ok = output_of(("cc -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -o %s %s"):format(program, source))
  assert(ok, text)
  return run(program)
end

function try.php(snippet)
  local opening = snippet.text:find("<?php", 1, true) and "" or "<?php "
  return run("php " .. write("snippet.php", opening .. here(snippet.text)))
end

function try.python(snippet)
  return run("/usr/bin/python3 " .. write("snippet.py", here(snippet.text)))
end

local needs = {
  php = "php -m | grep -q sysvmsg", python = "/usr/bin/python3 -c 'import sysv_ipc'", c = "command -v cc",
}

local function attempt(snippet)
  for _, path in ipairs(snippet.files or {}) do
    assert(os.execute(("mkdir -p $(dirname %s%s) && touch %s%s"):format(folder, path, folder, path)))
  end
  if snippet.before and snippet.language ~= "lua" then
    local text, ok = run(host .. " " .. write("before.lua", 'local ipc = require "ipc"\n' .. here(snippet.before)))
    assert(ok, text)
  end
  local text, ok = try[snippet.language](snippet)
  if not text then return end -- it was only compiled
  if snippet.raises then
    assert.is_nil(ok, text)
    return assert.matches(here(snippet.raises), text, 1, true)
  end
  assert(ok, text)
  if expected(snippet) then assert.equal(expected(snippet), plain(text)) end
end

describe("the snippet", function()
  local left
  before_each(function()
    left = nil
    make_folder()
  end)
  after_each(function()
    remove_folder(left)
    engines.redis.cleanup()
  end)

  for _, page in ipairs(pages.list()) do
    for _, snippet in ipairs(pages.snippets(page)) do
      if snippet.language ~= "text" then
        it(("in line %d of %s works: %s"):format(snippet.line, page, snippet.language), function()
          left = snippet.files
          for _, command in ipairs{needs[snippet.language] or "true", snippet.needs or "true"} do
            if not os.execute(command .. " >/dev/null 2>&1") then return pending("this needs: " .. command) end
          end
          local remote = (snippet.text .. (snippet.before or "")):find("redis:", 1, true)
          if remote and engines.redis.missing then return pending(engines.redis.missing) end
          attempt(snippet)
        end)
      end
    end
  end
end)

-- What Ctrl-C at a terminal does: every process of the group gets the signal, also the child of the example.
describe("the first example of the README", function()
  it("ends well by Ctrl-C", function()
    make_folder()
    finally(remove_folder)
    local script = write("first.lua", 'io.stdout:setvbuf "line"\n' .. pages.snippets("README.md")[1].text)
    for _ = 1, 3 do -- which of the two processes is first is a matter of chance
      local example <close> = assert(ipc.process {"setsid", host, script, stdout = "pipe", stderr = "stdout"})
      assert.equal("the square of 1 is 1", example.stdout:receive(PATIENCE))
      assert(ipc.signal("INT"):dispatch(-example.pid))
      local last
      for line in example.stdout:messages() do last = line end
      assert.equal("bye", last)
      assert.same({true, "exit", 0}, {example:wait(PATIENCE)})
    end
  end)
end)

-- Links -------------------------------------------------------------------------------------------------

-- Those of the pages below `base` that lead nowhere.
local function broken_links(base)
  local list = {}
  for _, page in ipairs(pages.list()) do
    local path = base .. "/" .. page
    for _, target in ipairs(pages.links(path)) do
      local file, anchor = target:match("^([^#]*)#?(.*)$")
      local to = file == "" and path or path:match("^(.*)/") .. "/" .. file
      local there = os.execute("test -e '" .. to .. "'")
      if not there or (anchor ~= "" and not pages.anchors(to)[anchor]) then list[#list + 1] = page .. ": " .. target end
    end
  end
  return list
end

describe("every link of the pages leads somewhere", function()
  it("in the checkout", function() assert.same({}, broken_links(".")) end)

  it("where they are installed", function()
    make_folder()
    finally(remove_folder)
    local text, ok = output_of(("env -u MAKEFLAGS -u MFLAGS make -s install-doc DESTDIR=%s PREFIX=/usr"):format(folder))
    assert(ok, text)
    assert.same({}, broken_links(folder .. "/usr/share/doc/ipclua"))
  end)
end)
