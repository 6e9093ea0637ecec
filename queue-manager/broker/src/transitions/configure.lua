-- Changes settings of the queue while it runs: mode, pause, caps. No job is touched; only scores are made anew.
-- With workers turns places
-- Answers once
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] participant whose own caps these are, '' for the workshop's settings
-- ARGV[3..] name, value …; an empty value takes the setting away
-- Answers changed name before … (those that were another)

local where = ARGV[2] == '' and key('settings') or key('caps', ARGV[2])
local old_mode = mode()
local answer, again = { 'changed' }, false
for i = 3, #ARGV, 2 do
  local name, value = ARGV[i], ARGV[i + 1]
  local before_it = redis.call('HGET', where, name) or ''
  -- Each time it is said, everybody may have one again.
  if name == 'one_each' then
    redis.call('DEL', key('had'))
    again = true
  end
  if before_it ~= value then
    if value == '' then redis.call('HDEL', where, name) else redis.call('HSET', where, name, value) end
    answer[#answer + 1] = name
    answer[#answer + 1] = before_it
  end
end
if #answer == 1 and not again then return answer end
settings = nil
if ARGV[2] ~= '' then
  arrange(ARGV[2])
elseif mode() ~= old_mode then
  rebuild()
else
  for _, participant in ipairs(everyone_waiting()) do arrange(participant) end
end
wake_everyone()
announce_room('settings')
return answer
