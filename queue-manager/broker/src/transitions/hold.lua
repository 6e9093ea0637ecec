-- Puts a waiting job aside by hand, or back to its own place.
-- With workers turns places
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] job id   ARGV[3] owner it must have, '' for the instructor
-- ARGV[4] '1' to put aside, '' to put back
-- Answers done | refused state reason | unknown

local id = ARGV[2]
local job = read_job(id)
if not job or (ARGV[3] ~= '' and job.participant ~= ARGV[3]) then return { 'unknown' } end
-- What waits for its time is not put aside: coming back would skip the wait.
if job.state ~= 'pending' or job.reason == 'cancelling' or job.reason == 'backing_off' then return { 'refused', job.state, job.reason } end
if ARGV[4] == '1' and job.reason ~= 'held' then
  lift(id, job)
  put_aside(id, job, 'held')
  announce(id, job, 'pending', 'held')
  arrange(job.participant)
elseif ARGV[4] ~= '1' and job.reason == 'held' then
  lift(id, job)
  queue_up(id, job, '')
end
return { 'done' }
