-- A worker gives a job back unharmed: to the head of its line, and no attempt counts against it.
-- With workers turns places
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3] job id   ARGV[4] token
-- Answers released | settled state | lost

local id = ARGV[3]
local job = read_job(id)
local where = standing(job, ARGV[2], ARGV[4])
if where == 'late' then return { 'released' } end
if where == 'ended' then return { 'settled', job.state } end
if where == 'lost' then return { 'lost' } end
if job.reason == 'stopping' then
  settle(id, job, 'cancelled', '', '{}')
  return { 'settled', 'cancelled' }
end
give_back(id, job, 'released')
return { 'released' }
