-- Reports who is in the rooms of a MUC component, in the shape in which Jitsi's event_sync does, for the proof in ../prosody.py.
-- A room whose name is MAIN+NAME poses as a breakout room of MAIN on `reports_main_host`. As in Jitsi, an occupant called `focus` looks after
-- each room, is the first in and the last out, and is not reported. Nor is a room whose beginning was not seen: one that was restored.
local http = require "net.http";
local jid = require "util.jid";
local json = require "util.json";
local timer = require "util.timer";

local prefix = module:get_option_string("reports_url");
local bearer = module:get_option_string("reports_bearer");
local main_host = module:get_option_string("reports_main_host");

local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. bearer };

-- Three more tries, a second apart, where the answer is an error of the server's or none at all.
local function send(path, body, tries)
	http.request(prefix .. "/events/" .. path, { method = "POST", headers = headers, body = body }, function (_, code)
		module:log("info", "%s: %s", path, code);
		if (code == 0 or code >= 500) and tries > 0 then
			timer.add_task(1, function () send(path, body, tries - 1); end);
		end
	end);
end

local function report(path, event_name, room, payload)
	local node, host = jid.split(room.jid);
	local main, breakout = node, nil;
	if main_host then
		main, breakout = node:match("^([^+]+)%+(.+)$");
		host = main_host;
	end
	payload.event_name = event_name;
	payload.is_breakout = breakout ~= nil;
	payload.breakout_room_id = breakout;
	payload.room_name = main;
	payload.room_jid = jid.join(main, host);
	send(path, json.encode(payload), 3);
end

local function count(roll)
	local active = 0;
	for _, occupant in pairs(roll.occupants) do
		if not occupant.left_at then active = active + 1; end
	end
	return active;
end

module:hook("muc-room-created", function (event)
	event.room.rollbook_roll = { created_at = os.time(), occupants = {} };
	report("room/created", "muc-room-created", event.room, { created_at = event.room.rollbook_roll.created_at });
end, -2);

module:hook("muc-occupant-joined", function (event)
	local roll, who = event.room.rollbook_roll, event.occupant.jid;
	local user = jid.split(who);
	if not roll or user == "focus" then return; end
	roll.occupants[who] = {
		occupant_jid = who, joined_at = os.time(), id = user, name = jid.resource(event.nick), email = user .. "@example.org";
	};
	report("occupant/joined", "muc-occupant-joined", event.room, { occupant = roll.occupants[who], active_occupants_count = count(roll) });
end, -2);

module:hook("muc-occupant-left", function (event)
	local roll, who = event.room.rollbook_roll, event.occupant.jid;
	local occupant = roll and roll.occupants[who];
	if not occupant then return; end
	occupant.left_at = os.time();
	report("occupant/left", "muc-occupant-left", event.room, { occupant = occupant, active_occupants_count = count(roll) });
end, -2);

module:hook("muc-room-destroyed", function (event)
	local roll = event.room.rollbook_roll;
	if not roll then return; end
	local all = {};
	for _, occupant in pairs(roll.occupants) do all[#all + 1] = occupant; end
	report("room/destroyed", "muc-room-destroyed", event.room, { created_at = roll.created_at, destroyed_at = os.time(), all_occupants = all });
end, -2);
