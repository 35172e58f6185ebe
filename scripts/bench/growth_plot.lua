-- SPDX-License-Identifier: MIT
-- make growth: the picture, a panel for each table that has times.

local WIDTH <const>, HEIGHT <const>, LEFT <const>, TOP <const>, BOTTOM <const> = 330, 220, 66, 30, 40
local LOW <const>, HIGH <const>, PANELS <const> = 1, 7, 3 -- powers of ten, ns; panels in a row
local COLOURS <const> = {"#1b6ca8", "#c0392b", "#27864a", "#8e44ad", "#b9770e"}

local function line(out, points, colour)
  out[#out + 1] = ('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>'):format(colour,
    table.concat(points, " "))
end

local function text(out, x, y, anchor, what, colour)
  out[#out + 1] = ('<text x="%.0f" y="%.0f" text-anchor="%s" fill="%s">%s</text>'):format(x, y, anchor,
    colour or "#333", what)
end

-- Those of time: the others have their unit in brackets.
local function times(columns)
  local names = {}
  for _, name in ipairs(columns) do
    if not name:find("(", 1, true) then names[#names + 1] = name end
  end
  return names
end

local function panel(out, left, top, subject, rows)
  local counts = subject[3]
  local function across(i) return left + (i - 1) / (#counts - 1) * WIDTH end
  local function height(ns) return top + HEIGHT * (1 - (math.log(ns, 10) - LOW) / (HIGH - LOW)) end
  text(out, left + WIDTH / 2, top - 12, "middle", "ns by number of " .. subject[1])
  for power = LOW, HIGH do
    local y = height(10 ^ power)
    line(out, {("%.0f,%.0f"):format(left, y), ("%.0f,%.0f"):format(left + WIDTH, y)}, "#ddd")
    text(out, left - 6, y + 4, "end", ("%d"):format(10 ^ power))
  end
  for i, n in ipairs(counts) do text(out, across(i), top + HEIGHT + 18, "middle", n) end
  for k, name in ipairs(times(subject[4])) do
    local points = {}
    for i, row in ipairs(rows) do
      if row[name] then points[#points + 1] = ("%.1f,%.1f"):format(across(i), height(math.max(row[name], 10))) end
    end
    line(out, points, COLOURS[k])
    text(out, left + 10, top + 16 * k, "start", name, COLOURS[k])
  end
end

-- measured: a list of {subject =, rows =}.
return function(measured, path)
  local shown = {}
  for _, m in ipairs(measured) do
    if #times(m.subject[4]) > 0 then shown[#shown + 1] = m end
  end
  local out = {('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" '
    .. 'font-size="12">'):format(PANELS * (WIDTH + LEFT) + 30, math.ceil(#shown / PANELS) * (TOP + HEIGHT + BOTTOM)),
    '<rect width="100%" height="100%" fill="white"/>'}
  for i, m in ipairs(shown) do
    local left, top = (i - 1) % PANELS * (WIDTH + LEFT), (i - 1) // PANELS * (TOP + HEIGHT + BOTTOM)
    panel(out, LEFT + left, TOP + top, m.subject, m.rows)
  end
  out[#out + 1] = "</svg>\n"
  local file <close> = assert(io.open(path, "w"))
  file:write(table.concat(out, "\n"))
end
