-- SPDX-License-Identifier: MIT
-- make bench PLOT=1: the figures as a picture. Ours is the line at 1; a point is how many times as long a peer takes,
-- or as much room, and the line through it goes from the least to the most of its runs. Logarithmic, from 1/8 to 32.

local SHOWN <const> = {
  "start", "switch", "task", "timers", "sleepers", "oneway", "roundtrip", "program", "queue one", "queue pair",
  "semaphore", "shm queue pair", "shm roundtrip", "pinned shm roundtrip", "shm mutex", "shm semaphore", "memory get 16",
  "broadcast to 100", "codec small", "codec records", "data get", "data set", "redis queue one task", "redis data get",
}
local WIDTH <const>, LEFT <const>, ROW <const>, LOW <const>, HIGH <const> = 520, 290, 16, -3, 5
local BETTER <const>, WORSE <const> = "#27864a", "#c0392b"

local function across(ratio)
  local power = math.min(math.max(math.log(ratio, 2), LOW), HIGH)
  return LEFT + (power - LOW) / (HIGH - LOW) * WIDTH
end

local function text(out, x, y, anchor, what, colour)
  out[#out + 1] = ('<text x="%.0f" y="%.0f" text-anchor="%s" fill="%s">%s</text>'):format(x, y, anchor, colour, what)
end

local function line(out, x1, y1, x2, y2, colour, width)
  out[#out + 1] = ('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%d"/>'):format(x1, y1, x2,
    y2, colour, width)
end

local function row(out, y, ours, peer)
  local colour = peer.median >= ours.median and BETTER or WORSE
  line(out, across(peer.least / ours.median), y, across(peer.most / ours.median), y, colour, 1)
  out[#out + 1] = ('<circle cx="%.1f" cy="%.1f" r="4" fill="%s"/>'):format(across(peer.median / ours.median), y, colour)
  text(out, LEFT - 8, y + 4, "end", peer.name, "#333")
  text(out, LEFT + WIDTH + 8, y + 4, "start", ("%.0f"):format(peer.median), "#333")
end

-- results: benchmark → {unit =, count =}, with {name =, median =, least =, most =} of each program that is there, ours
-- first.
return function(results, path)
  local out, y = {}, 40
  for _, name in ipairs(SHOWN) do
    local list = results[name]
    if list and list[1] then
      y = y + ROW
      text(out, 8, y + 4, "start", ("%s: %.0f %s"):format(name, list[1].median, list.unit), "#000")
      for i = 2, list.count do
        if list[i] then
          row(out, y, list[1], list[i])
          y = y + ROW
        end
      end
    end
  end
  local frame = {('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" '
    .. 'font-size="12">'):format(LEFT + WIDTH + 90, y + 10), '<rect width="100%" height="100%" fill="white"/>'}
  for power = LOW, HIGH do
    local x = across(2.0 ^ power)
    line(frame, x, 40, x, y, power == 0 and "#333" or "#ddd", 1)
    text(frame, x, 30, "middle", power < 0 and "1/" .. (1 << -power) or 1 << power, "#333")
  end
  text(frame, LEFT - 8, 30, "end", "times ours", "#333")
  local file <close> = assert(io.open(path, "w"))
  file:write(table.concat(frame, "\n"), "\n", table.concat(out, "\n"), "\n</svg>\n")
end
