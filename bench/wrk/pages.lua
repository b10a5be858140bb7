-- Pages in the order of a file of paths, which is a random one: a page in a loop is what a branch predictor learns by heart.
-- wrk … -s pages.lua URL -- FILE TOKEN
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")
local requests, at = {}, 0

function init(args)
  wrk.headers["authorization"] = "Bearer " .. args[2]
  for path in io.lines(args[1]) do requests[#requests + 1] = wrk.format("GET", path) end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
