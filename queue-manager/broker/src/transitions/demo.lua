-- Somebody demonstrates: their next jobs stand in the instructor's lane, until as many were submitted or the time is
-- over. What they wait with already is the first of them. Ending it puts what still waits back into the normal lane.
-- With workers turns places ordering
-- KEYS[1] the workshop's hash tag
-- Answers once
-- ARGV[1] clock offset ms   ARGV[2] participant   ARGV[3] ms it may take, 0 to end it   ARGV[4] jobs
-- Answers on | off

local participant, for_ms, jobs = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if for_ms == 0 then
  redis.call('HDEL', key('settings'), 'demo')
  for _, id in ipairs(redis.call('LRANGE', key('line', 'instructor', participant), 0, -1)) do
    change_lane(id, read_job(id), 'normal')
  end
  announce_room('settings')
  return { 'off' }
end
local first
for _, group in ipairs(groups()) do
  local head = not first and head_of(group, participant)
  if head then first = head end
end
if first and first.lane ~= 'instructor' then change_lane(first.id, read_job(first.id), 'instructor') end
if first then jobs = jobs - 1 end
if jobs > 0 then
  redis.call('HSET', key('settings'), 'demo', table.concat({ participant, whole(now + for_ms), whole(jobs) }, ' '))
end
announce_room('settings')
return { 'on' }
