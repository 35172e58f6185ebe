-- SPDX-License-Identifier: MIT
-- Foreign programs as guests: each runs under lua5.4 and under ipclua, both by the name of `lua`, and has to do the
-- same there. The suites come from Debian's source packages, fetched into build/guests; what cannot be had is skipped,
-- by name. GUESTS="name path ..." chooses: of guests/list.lua by name, or suites of your own by path: a Lua file, or a
-- folder with busted specs. What each said is in build/guests/NAME.lua5.4 and NAME.ipclua, what counts of it in
-- NAME.*.kept.

local guests = dofile("scripts/tools/guests/list.lua")

local BUILD <const>, LUA <const> = os.getenv("BUILD") or "build", os.getenv("LUA") or "lua5.4"
local SECONDS <const> = 600
local TAP <const> = "^n?o?t? ?ok%f[%W]"

local function output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  pipe:close()
  return text
end

local function path(command)
  return (output(command):gsub("\n$", ""))
end

local cwd = path("pwd")
local here = cwd .. "/build/guests"
local tools = cwd .. "/scripts/tools/guests"
local programs = {"lua5.4", "ipclua"}

-- A folder for each of the two, in which it is called `lua`; and the C module of the guest `threads`.
local function prepare()
  os.execute(("mkdir -p %s/run"):format(here))
  local targets = {["lua5.4"] = path("command -v " .. LUA), ipclua = ("%s/%s/ipclua"):format(cwd, BUILD)}
  for _, program in ipairs(programs) do
    local folder = ("%s/bin/%s"):format(here, program)
    os.execute(("mkdir -p %s && ln -sfn %s %s/lua"):format(folder, targets[program], folder))
  end
  os.execute(("cc -O1 -shared -fPIC $(pkg-config --cflags lua5.4) -o %s/states.so spec/support/peers/states.c "
    .. "-lpthread"):format(here))
end

-- Much that is pure Lua is packaged for older ones only.
local function environment(program)
  local older = ""
  for _, version in ipairs{"5.3", "5.1"} do
    older = older .. ("/usr/share/lua/V/?.lua;/usr/share/lua/V/?/init.lua;"):gsub("V", version)
  end
  return ("PATH=%s/bin/%s:$PATH LUA_PATH=\"$LUA_PATH;;%s\" LUA_CPATH=\"%s/?.so;%s/%s/?.so;$LUA_CPATH;;\""):format(here,
    program, older, here, cwd, BUILD)
end

local apt -- apt-get with sources; false where there is none

-- The lists of source packages, where those of binary packages come from, for apt-get in a folder of ours.
local function prepare_apt()
  local file = assert(io.open(here .. "/sources.list", "w"))
  file:write(output([[apt-get indextargets --format 'deb-src $(REPO_URI) $(CODENAME) $(COMPONENT)' ]]
    .. [["Created-By: Packages" "Origin: Debian" 2>/dev/null | sort -u]]))
  file:close()
  apt = ("apt-get -qq -o Dir::Etc::sourcelist=%s/sources.list -o Dir::Etc::sourceparts=/dev/null "
    .. "-o Dir::State::lists=%s/lists -o Dir::Cache=%s/cache"):format(here, here, here)
  local made = os.execute(("mkdir -p %s/lists/partial %s/cache && %s update >/dev/null 2>&1"):format(here, here, apt))
  apt = made and apt or false
end

-- The folder of a source package; nil and why it cannot be had.
local function fetch(name)
  local folder = ("%s/%s"):format(here, name)
  if os.execute(("test -d %s"):format(folder)) then return folder end
  if apt == nil then prepare_apt() end
  if not apt then return nil, "no source packages" end
  local well = os.execute(("cd %s && %s source --tar-only --download-only %s >/dev/null 2>&1"):format(here, apt, name))
  local tar = path(("ls %s/%s_*.orig.tar.* 2>/dev/null"):format(here, name))
  if not well or tar == "" then return nil, "its source cannot be had" end
  if not os.execute(("mkdir -p %s.new && tar -xf %s -C %s.new --strip-components=1 && mv %s.new %s")
      :format(folder, tar, folder, folder, folder)) then
    return nil, "its source cannot be unpacked"
  end
  return folder
end

local function has(module)
  return os.execute(("cd / && %s lua -e 'require(%q)' >/dev/null 2>&1"):format(environment("lua5.4"), module))
end

-- Where it runs; nil and why not.
local function place(guest)
  for _, module in ipairs(guest.needs or {}) do
    if not has(module) then return nil, "no module " .. module end
  end
  if guest.path then return guest.path end
  if not guest.source then return here .. "/run" end
  local folder, why = fetch(guest.source)
  return folder and folder .. "/" .. (guest.folder or ""), why
end

-- The lines that count, in an order of their own, without what differs from one run to the next.
local function kept(text, pattern)
  local lines = {}
  for line in text:gmatch("[^\n]+") do
    if line:find(pattern) then
      lines[#lines + 1] = line:gsub("0x%x+", "0x"):gsub("%d+%.%d+ ?s%a*", "0 s")
    end
  end
  table.sort(lines)
  return lines
end

local function run(guest, folder, program)
  local file = ("%s/%s.%s"):format(here, guest.name, program)
  local command = guest.run:gsub("TOOLS", tools):gsub("'", [['\'']])
  local _, how, code = os.execute(("cd %s && exec >%s 2>&1 </dev/null; %s timeout %d sh -c '%s'"):format(folder, file,
    environment(program), SECONDS, command))
  local lines = kept(assert(io.open(file)):read("a"), guest.keep or TAP)
  local text = table.concat(lines, "\n") .. "\n"
  assert(io.open(file .. ".kept", "w")):write(text):close()
  return {says = ("%s %d, %d lines"):format(how, code, #lines), lines = #lines, text = text}
end

local function differences(guest)
  local file = ("%s/%s.%%s.kept"):format(here, guest.name)
  return output(("diff %s %s | head -n 20"):format(file:format(programs[1]), file:format(programs[2])))
end

-- A suite of the user's, by its path.
local function own(at)
  local name = at:match("([^/]+)/*$")
  if at:find("%.lua$") then return {name = name, path = at:match("^(.*)/") or ".", run = "lua " .. name} end
  return {name = name, path = at, run = "lua /usr/bin/busted -o TAP --no-coverage"}
end

local function chosen()
  local names, list = os.getenv("GUESTS") or "", {}
  if names == "" then return guests end
  for name in names:gmatch("%S+") do
    local found
    for _, guest in ipairs(guests) do found = guest.name == name and guest or found end
    list[#list + 1] = found or own(name)
  end
  return list
end

local ROW <const> = "%-14s %-24s %-24s %s"
local count = {same = 0, differs = 0, skipped = 0}

local function try(guest)
  local folder, why = place(guest)
  if not folder then return "skipped", "", "", why end
  local stock, host = run(guest, folder, "lua5.4"), run(guest, folder, "ipclua")
  if stock.lines == 0 and not guest.path then return "differs", stock.says, host.says, "it says nothing" end
  return stock.says == host.says and stock.text == host.text and "same" or "differs", stock.says, host.says
end

prepare()
print(ROW:format("guest", "lua5.4", "ipclua", ""))
for _, guest in ipairs(chosen()) do
  local verdict, stock, host, why = try(guest)
  count[verdict] = count[verdict] + 1
  print(ROW:format(guest.name, stock, host, verdict .. (why and ": " .. why or "")))
  if verdict == "differs" then io.write(differences(guest)) end
end
print(("%d the same, %d different, %d skipped"):format(count.same, count.differs, count.skipped))
os.exit(count.differs == 0)
