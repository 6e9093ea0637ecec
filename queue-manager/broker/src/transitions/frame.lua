-- Publishes one execution message for the tab that submitted the job, and keeps it until that tab has it. What waits for
-- all of one participant's tabs has a limit: then tabs that were away longest lose theirs, and then the oldest messages go.
-- It gets a number that only grows, so that a tab that finds it waiting and hears it as well tells it once. A message whose
-- place in its claim is not behind the last one's was sent again: it changes nothing.
-- Refused when the store is full
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] participant   ARGV[3] client id   ARGV[4] the message
-- ARGV[5] messages for one tab   ARGV[6] tabs of one participant   ARGV[7] bytes for all of them
-- ARGV[8] token of the claim it was made under   ARGV[9] its place among that claim's messages
-- Answers kept | repeated

local participant, client, message = ARGV[2], ARGV[3], ARGV[4]
local most, most_tabs, most_bytes = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local list, sizes = key('missed', participant, client), key('missing', participant)
local said, place = key('said', ARGV[8]), tonumber(ARGV[9])
if place <= tonumber(redis.call('GET', said) or '0') then return { 'repeated' } end
redis.call('SET', said, whole(place), 'PX', 3600000)
-- As with lease tokens: it grows also after a log that lost its end.
local number = whole(math.max(tonumber(redis.call('GET', key('frames', 'last')) or '0') + 1, now))
redis.call('SET', key('frames', 'last'), number)
message = number .. '\n' .. message
local length = redis.call('RPUSH', list, message)
local size = #message
-- A list that was not there had been fetched, or waited for too long.
if length > 1 then size = size + tonumber(redis.call('HGET', sizes, client) or '0') end
while length > most or size > most_bytes do
  size = size - #redis.call('LPOP', list)
  length = length - 1
end
redis.call('HSET', sizes, client, whole(size))
redis.call('PEXPIRE', list, 3600000)
redis.call('PEXPIRE', sizes, 3600000)

local others, tabs, bytes = {}, 1, size
local all = redis.call('HGETALL', sizes)
for i = 1, #all, 2 do
  if all[i] ~= client then
    others[#others + 1] = { name = all[i], size = tonumber(all[i + 1]) }
    tabs, bytes = tabs + 1, bytes + tonumber(all[i + 1])
  end
end
if tabs > most_tabs or bytes > most_bytes then
  for _, tab in ipairs(others) do tab.left = redis.call('PTTL', key('missed', participant, tab.name)) end
  table.sort(others, function(a, b) return a.left < b.left end)
  for _, tab in ipairs(others) do
    -- Those that are gone already come first.
    if tab.left >= 0 and tabs <= most_tabs and bytes <= most_bytes then break end
    redis.call('DEL', key('missed', participant, tab.name))
    redis.call('HDEL', sizes, tab.name)
    tabs, bytes = tabs - 1, bytes - tab.size
  end
end
redis.call('PUBLISH', key('frames'), message)
return { 'kept' }
