-- Moves a waiting job within its owner's line; nobody else's turn changes.
-- With workers turns places ordering
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] job id   ARGV[3] owner it must have, '' for the instructor
-- ARGV[4] place in the line, 0 for the first; past the end is the end
-- Answers done | refused state reason | unknown

local id = ARGV[2]
local job = read_job(id)
if not job or (ARGV[3] ~= '' and job.participant ~= ARGV[3]) then return { 'unknown' } end
if job.state ~= 'pending' or not move_to(id, job, tonumber(ARGV[4])) then
  return { 'refused', job.state, job.reason }
end
arrange(job.participant)
announce(id, job, 'pending', job.reason)
return { 'done' }
