-- Moves a waiting job to another lane, to the place there that its arrival gives it.
-- With workers turns places ordering
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] job id   ARGV[3] lane
-- Answers done | refused state reason | unknown

local id, lane = ARGV[2], ARGV[3]
local job = read_job(id)
if not job then return { 'unknown' } end
if job.state ~= 'pending' then return { 'refused', job.state, job.reason } end
if job.lane ~= lane then change_lane(id, job, lane) end
return { 'done' }
