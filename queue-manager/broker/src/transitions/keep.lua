-- Takes a delayed cancel back: a waiting job returns to its own place, a running one just goes on.
-- With workers turns places
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] job id   ARGV[3] owner it must have, '' for the instructor
-- Answers kept | late state | unknown

local id = ARGV[2]
local job = read_job(id)
if not job or (ARGV[3] ~= '' and job.participant ~= ARGV[3]) then return { 'unknown' } end
if (job.state ~= 'pending' and job.state ~= 'running') or job.reason == 'stopping' then return { 'late', job.state } end
if job.cancel_at == '' then return { 'kept' } end
local was = redis.call('HGET', key('job', id), 'was')
redis.call('HDEL', key('job', id), 'cancel_at', 'was')
redis.call('ZREM', key('later'), id)
if job.state == 'running' then
  redis.call('HSET', key('job', id), 'reason', '')
  announce(id, job, 'running', '')
elseif was == 'held' then
  put_aside(id, job, 'held')
  announce(id, job, 'pending', 'held')
else
  queue_up(id, job, '')
end
return { 'kept' }
