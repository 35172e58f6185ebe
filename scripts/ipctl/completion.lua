-- SPDX-License-Identifier: MIT
-- ipctl completion: what shells want to know of the command line, and the man page, from the table of verbs.

local args = require "ipctl.args"
local help = require "ipctl.help"
local json = require "ipctl.json"
local listing = require "ipctl.listing"
local out = require "ipctl.out"
local system = require "ipctl.system"
local verbs = require "ipctl.verbs"

local completion = {}

local function names()
  local list = {}
  for i, verb in ipairs(verbs) do list[i] = verb.name end
  return table.concat(list, " ")
end

local function options_of(verb)
  local list = {}
  for i, option in ipairs(args.options(verb)) do list[i] = "--" .. option[1] end
  return table.concat(list, " ")
end

local function quote(text)
  return "'" .. text:gsub("'", [['\'']]) .. "'"
end

-- Lines of each verb, by a function of it.
local function each(line)
  local list = {}
  for i, verb in ipairs(verbs) do list[i] = line(verb) end
  return table.concat(list, "\n")
end

-- A colon is a break of words to bash, which wants what comes behind it only.
local bash <const> = [[
# completion of ipctl for bash: written by `ipctl completion bash`
_ipctl() {
  local cur words colon
  cur=${COMP_LINE:0:COMP_POINT}
  cur=${cur##* }
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='NAMES'
  elif [ "${cur#-}" != "$cur" ]; then
    case ${COMP_WORDS[1]} in
OPTIONS
    esac
  else
    words=$(ipctl completion keys 2>/dev/null)
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  colon=${cur%"${cur##*:}"}
  COMPREPLY=("${COMPREPLY[@]#"$colon"}")
}
complete -o default -F _ipctl ipctl
]]

local zsh <const> = [==[
#compdef ipctl
# completion of ipctl for zsh: written by `ipctl completion zsh`
_ipctl() {
  local -a verbs options keys
  if (( CURRENT == 2 )); then
    verbs=(
VERBS
    )
    _describe verb verbs
    return
  fi
  if [[ $PREFIX == -* ]]; then
    case $words[2] in
OPTIONS
    esac
    _describe option options
  else
    keys=(${(f)"$(ipctl completion keys 2>/dev/null)"})
    compadd -- $keys
    _files
  fi
}
_ipctl "$@"
]==]

-- What stands for a text in a frame is put in as it is.
local function fill(frame, texts)
  return (frame:gsub("%f[%u]%u+%f[^%u]", texts))
end

local function describe(name, text)
  return quote(name:gsub(":", "\\:") .. ":" .. text)
end

local print_for = {}

function print_for.bash()
  return fill(bash, {
    NAMES = names(),
    OPTIONS = each(function(verb) return ("      %s) words=%s ;;"):format(verb.name, quote(options_of(verb))) end),
  })
end

function print_for.zsh()
  return fill(zsh, {
    VERBS = each(function(verb) return "      " .. describe(verb.name, verb.summary) end),
    OPTIONS = each(function(verb)
      local list = {}
      for i, option in ipairs(args.options(verb)) do list[i] = describe("--" .. option[1], option[3]) end
      return ("      %s) options=(%s) ;;"):format(verb.name, table.concat(list, " "))
    end),
  })
end

function print_for.fish()
  return "# completion of ipctl for fish: written by `ipctl completion fish`\n" .. each(function(verb)
    local list = {("complete -c ipctl -n __fish_use_subcommand -f -a %s -d %s"):format(verb.name, quote(verb.summary))}
    local seen = quote("__fish_seen_subcommand_from " .. verb.name)
    for _, option in ipairs(args.options(verb)) do
      list[#list + 1] = ("complete -c ipctl -n %s -l %s%s -d %s"):format(seen, option[1], option[2] and " -r" or "",
        quote(option[3]))
    end
    list[#list + 1] = ("complete -c ipctl -n %s -a '(ipctl completion keys 2>/dev/null)'"):format(seen)
    return table.concat(list, "\n")
  end) .. "\n"
end

-- The keys of what is there, for the scripts above.
function print_for.keys()
  local list, seen = {}, {}
  for _, object in ipairs(listing.all({}, false)) do
    if not seen[object.key] then list[#list + 1] = json.plain(object.key) .. "\n" end
    seen[object.key] = true
  end
  return table.concat(list)
end

-- The man page ----------------------------------------------------------------------------------------------

local man <const> = [[
.\" written by `ipctl completion man`
.TH IPCTL 1 "" "ipctl VERSION" "User Commands"
.SH NAME
ipctl \- show and mend what is behind the keys of ipc
.SH SYNOPSIS
.B ipctl
.I VERB
.RI [ options ]
.RI [ arguments ]
.SH DESCRIPTION
Lists the queues, locks, memory and data of a machine, looks into them, and removes what nobody needs.
A key is shm:NAME, file:/PATH?project=N, disk:/PATH?name=NAME or redis://HOST/DB/NAME.
.SH VERBS
LIST
.SH EXIT STATUS
0; 1 for "nothing": there is none, or a timeout; 2 for an error, which is one line on standard error.
After Ctrl-C it is 130, and 141 when the reader of a pipe has gone.
.SH ENVIRONMENT
.TP
.B NO_COLOR
No colours, which are used on a terminal only.
.SH SEE ALSO
.BR ipcs (1),
.BR ipcrm (1);
doc/ipctl.md and doc/troubleshooting.md of the documentation.
]]

local function roff(text)
  return (text:gsub("\\", "\\e"):gsub("%-", "\\-"):gsub("^([.'])", "\\&%1"):gsub("\n([.'])", "\n\\&%1"))
end

function print_for.man()
  return fill(man, {
    VERSION = system.version,
    LIST = each(function(verb)
      local list = {(".SS %s %s\n%s"):format(roff(verb.name), roff(verb.usage), roff(help.text_of(verb)))}
      for _, option in ipairs(args.options(verb)) do
        list[#list + 1] = (".TP\n.B \\-\\-%s\n%s"):format(roff(option[1]) .. (option[2] and " " .. option[2] or ""),
          roff(option[3]))
      end
      return table.concat(list, "\n")
    end),
  })
end

function completion.run(parsed)
  local write = print_for[parsed[1]]
  if not write then out.fail("completion: for bash, zsh or fish, or man, not %s", parsed[1]) end
  out.write(write())
  return 0
end

return completion
