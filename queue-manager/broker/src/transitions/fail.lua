-- Ends a job badly, or puts it back in line where its kind of failure allows another attempt.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3] job id   ARGV[4] token
-- ARGV[5] kind of failure   ARGV[6] result as JSON   ARGV[7] crash deliveries before a job is parked
-- Answers settled state | again | lost

local id, kind = ARGV[3], ARGV[5]
local job = read_job(id)
local where = standing(job, ARGV[2], ARGV[4])
if where == 'lost' then return { 'lost' } end
if where == 'ended' then return { 'settled', job.state } end
if kind == 'interrupted' or job.reason == 'stopping' then
  settle(id, job, 'cancelled', '', ARGV[6])
  return { 'settled', 'cancelled' }
end
if kind == 'comfyui_lost' then
  -- Back in line already, and counted: by the reaper, or by this very report sent before.
  if where == 'late' then return { 'again' } end
  local crashes = redis.call('HINCRBY', key('job', id), 'crashes', 1)
  if crashes < tonumber(ARGV[7]) then
    give_back(id, job, 'worker_lost')
    return { 'again' }
  end
  settle(id, job, 'failed', 'parked', ARGV[6])
  return { 'settled', 'failed' }
end
settle(id, job, 'failed', '', ARGV[6])
return { 'settled', 'failed' }
