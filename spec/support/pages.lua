-- SPDX-License-Identifier: MIT
-- The pages: their snippets, headings and links. A snippet is a fenced block. What is needed to try it stands in a
-- comment right above it, which is not shown where the page is read:
--   <!-- try: before = "local m = ipc.shared_memory(ipc.private, 1)", prints = "3" -->
-- before, after: Lua that is run with it, in one chunk; for other languages before is a program of its own
-- files: paths that are to be there
-- prints: what it prints, if its own comments `--> text` do not say that; false: it does not matter
-- raises: a part of the error that ends it
-- needs: a command that must succeed, or the snippet cannot be tried on this machine
-- compiled: why it can only be compiled

local pages = {}

function pages.list()
  local list = {"README.md", "CONTRIBUTING.md"}
  local pipe = assert(io.popen("LC_ALL=C ls doc/*.md"))
  for page in pipe:lines() do list[#list + 1] = page end
  pipe:close()
  return list
end

function pages.contents(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- Every fenced block: {page =, line =, language =, text =, and what the comment above it says}.
function pages.snippets(page)
  local list, block, comment, number = {}, nil, nil, 0 -- the comment that stands above, or begins
  for line in (pages.contents(page) .. "\n"):gmatch("(.-)\n") do
    number = number + 1
    local indent, language = line:match("^(%s*)```(%w*)$")
    if indent and block then
      list[#list + 1], block, comment = block, nil, nil
    elseif indent then
      local notes = (comment or ""):match("^%s*<!%-%- try:(.*)%-%->%s*$")
      block = notes and assert(load("return {" .. notes .. "}", page .. ":" .. number, "t", {}))() or {}
      block.page, block.line, block.language, block.text, block.indent = page, number, language, "", #indent
    elseif block then
      block.text = block.text .. line:sub(block.indent + 1) .. "\n"
    elseif comment and not comment:find("%-%->%s*$") then
      comment = comment .. "\n" .. line
    else
      comment = line:match("^%s*<!%-%-.*")
    end
  end
  assert(not block, page .. " ends in a block")
  return list
end

-- The text without its blocks and its code, where what looks like a link is one.
local function prose(page)
  local text, inside = {}, false
  for line in (pages.contents(page) .. "\n"):gmatch("(.-)\n") do
    if line:match("^%s*```") then inside = not inside
    elseif not inside then text[#text + 1] = line end
  end
  return table.concat(text, "\n")
end

-- The places that can be linked to, as GitHub makes them of the headings.
function pages.anchors(page)
  local anchors, count = {}, {}
  for heading in ("\n" .. prose(page)):gmatch("\n#+ ([^\n]*)") do
    local text = heading:gsub("%[(.-)%]%(.-%)", "%1"):lower()
    local name = text:gsub("[^%w%-_ \x80-\xff]", ""):gsub(" ", "-")
    if count[name] then
      anchors[name .. "-" .. count[name]] = true
    end
    anchors[name], count[name] = true, (count[name] or 0) + 1
  end
  return anchors
end

-- The targets of all links but those to other sites. One over two lines is no link: it is listed, to be found broken.
function pages.links(page)
  local list = {}
  for target in prose(page):gsub("`[^`\n]*`", ""):gmatch("%](%b())") do
    target = target:sub(2, -2)
    if not target:match("^%a+:") then list[#list + 1] = target end
  end
  return list
end

return pages
