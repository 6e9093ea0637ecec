-- Takes a waiting job out, or asks the worker of a running one to stop; with a delay it may still be kept.
-- With workers turns places
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] job id   ARGV[3] owner it must have, '' for the instructor
-- ARGV[4] delay in ms, 0 for at once
-- Answers cancelled | stopping | delayed | ended state | unknown

local id, delay = ARGV[2], tonumber(ARGV[4])
local job = read_job(id)
if not job or (ARGV[3] ~= '' and job.participant ~= ARGV[3]) then return { 'unknown' } end
if job.state ~= 'pending' and job.state ~= 'running' then return { 'ended', job.state } end
if job.reason == 'stopping' or (job.state == 'running' and delay == 0) then
  stop(id, job)
  return { 'stopping' }
end
if delay == 0 then
  settle(id, job, 'cancelled', '', '{}')
  return { 'cancelled' }
end
if job.cancel_at ~= '' then return { 'delayed' } end
redis.call('HSET', key('job', id), 'cancel_at', whole(now + delay))
if job.state == 'pending' then
  lift(id, job)
  -- Somebody who put it aside will find it there again.
  redis.call('HSET', key('job', id), 'was', job.reason == 'held' and 'held' or '')
  put_aside(id, job, 'cancelling', now + delay)
  arrange(job.participant)
else
  redis.call('HSET', key('job', id), 'reason', 'cancelling')
  redis.call('ZADD', key('later'), whole(now + delay), id)
end
announce(id, job, job.state, 'cancelling')
return { 'delayed' }
