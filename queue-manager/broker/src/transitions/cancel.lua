-- Takes a waiting job out, or asks the worker of a running one to stop.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] job id   ARGV[3] owner it must have, '' for the instructor
-- Answers cancelled | stopping | ended state | unknown

local id = ARGV[2]
local job = read_job(id)
if not job or (ARGV[3] ~= '' and job.participant ~= ARGV[3]) then return { 'unknown' } end
if job.state == 'pending' then
  settle(id, job, 'cancelled', '', '{}')
  return { 'cancelled' }
end
if job.state ~= 'running' then return { 'ended', job.state } end
if job.reason ~= 'stopping' then
  redis.call('HSET', key('job', id), 'reason', 'stopping')
  announce(id, job.participant, 'running', 'stopping', job.worker, job.client)
end
-- Said again on a repeated cancel: the first message may have been lost with its link.
redis.call('PUBLISH', key('workers'), cjson.encode({ cancel = job.worker, job = id, token = job.token }))
return { 'stopping' }
