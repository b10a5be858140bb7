-- A join a POST, everyone a person of their own.
-- wrk … -s joins.lua URL -- PATH SESSIONS RUN TOKEN
dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")
local sessions, run, at, path, headers = 1, "", 0, "", {}

local event = '{"specversion":"1.0","id":"%d+","source":"sfu-1","type":"rollbook.peer.joined","time":"2026-01-31T%02d:%02d:%02d.%06dZ",' ..
  '"data":{"session":{"key":"%s-%d","meeting_key":"room-%s","meeting_title":"Algebra"},"peer":{"key":"PA_%d","user_id":"%08x-4c57-4d1e-8d5b-%012x",' ..
  '"custom_participant_id":"c-%d","display_name":"Ana Rivera %d","preset_name":"webinar_participant","preset_view_type":"WEBINAR"}}}'

function init(args)
  path, sessions, run = args[1], tonumber(args[2]), args[3]
  headers = { ["content-type"] = "application/cloudevents+json", ["authorization"] = "Bearer " .. args[4] }
end

function request()
  at = at + 1
  local second = math.floor(at / 1000)
  local body = string.format(event, at, 8 + math.floor(second / 3600) % 12, math.floor(second / 60) % 60, second % 60, at % 1000 * 1000,
    run, at % sessions, run, at, at * 2654435761 % 4294967296, at, at, at)
  return wrk.format("POST", path, headers, body)
end
