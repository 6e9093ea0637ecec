-- Ends a job well. Accepted late as well, as long as nobody has claimed the job again.
-- With workers turns places
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3] job id   ARGV[4] token   ARGV[5] result as JSON
-- Answers settled state | lost

local id = ARGV[3]
local job = read_job(id)
local where = standing(job, ARGV[2], ARGV[4])
if where == 'lost' then return { 'lost' } end
if where == 'ended' then return { 'settled', job.state } end
settle(id, job, 'completed', '', ARGV[5])
return { 'settled', 'completed' }
