-- Somebody demonstrates: their next jobs stand in the instructor's lane, until as many were submitted or the time is
-- over. What they wait with already is the first of them. Ending it puts those that still wait, wherever they do, back
-- into the normal lane; it can be ended while one of them waits.
-- With workers turns places ordering
-- Answers once
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] participant, '' to end it   ARGV[3] ms it may take   ARGV[4] jobs
-- Answers on | off participant | none (there is nothing to end)

local participant = ARGV[2]
-- Those of the last demos that still wait where a demo put them.
local waiting = {}
for _, id in ipairs(redis.call('SMEMBERS', key('demo'))) do
  local job = read_job(id)
  if job and job.state == 'pending' and job.lane == 'instructor' then
    waiting[#waiting + 1] = { id = id, job = job }
  else
    redis.call('SREM', key('demo'), id)
  end
end
if participant == '' then
  local who, till = setting('demo', ''):match('^(%S+) (%S+) %S+$')
  if who and now >= tonumber(till) then who = nil end
  if not who and #waiting == 0 then return { 'none' } end
  redis.call('HDEL', key('settings'), 'demo')
  redis.call('DEL', key('demo'))
  for _, one in ipairs(waiting) do change_lane(one.id, read_job(one.id), 'normal') end
  announce_room('settings')
  return { 'off', who or waiting[1].job.participant }
end
local jobs, first = tonumber(ARGV[4]), nil
for _, group in ipairs(groups()) do
  local head = not first and head_of(group, participant)
  if head then first = head end
end
if first and first.lane ~= 'instructor' then
  redis.call('SADD', key('demo'), first.id)
  change_lane(first.id, read_job(first.id), 'instructor')
end
if first then jobs = jobs - 1 end
if jobs > 0 then
  redis.call('HSET', key('settings'), 'demo', table.concat({ participant, whole(now + tonumber(ARGV[3])), whole(jobs) }, ' '))
end
announce_room('settings')
return { 'on' }
