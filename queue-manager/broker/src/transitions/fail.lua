-- Ends a job badly, or gives it another attempt where its kind of failure allows one.
--   validation      never again: ComfyUI would refuse it again
--   comfyui_lost    at once, on another worker if one can run it; parked at the third time
--   out_of_memory, run, files   as configured, after a wait that doubles
-- With workers turns places
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3] job id   ARGV[4] token
-- ARGV[5] kind of failure   ARGV[6] result as JSON   ARGV[7] crash deliveries before a job is parked
-- Answers settled state | again | lost

local id, kind = ARGV[3], ARGV[5]
local job = read_job(id)
local where = standing(job, ARGV[2], ARGV[4])
if where == 'lost' then return { 'lost' } end
if where == 'ended' then return { 'settled', job.state } end
-- Back in line already, and counted: by the reaper, or by this very report sent before.
local again = kind == 'comfyui_lost' or job.reason == 'backing_off'
if where == 'late' and again then return { 'again' } end
if kind == 'interrupted' or job.reason == 'stopping' then
  settle(id, job, 'cancelled', '', ARGV[6])
  return { 'settled', 'cancelled' }
end
if kind == 'comfyui_lost' then
  local crashes = redis.call('HINCRBY', key('job', id), 'crashes', 1)
  if crashes < tonumber(ARGV[7]) then
    avoid(id, job.worker)
    give_back(id, job, 'worker_lost')
    return { 'again' }
  end
  settle(id, job, 'failed', 'parked', ARGV[6])
  return { 'settled', 'failed' }
end
local attempts = tonumber(setting(kind == 'out_of_memory' and 'attempts_out_of_memory' or 'attempts_run', '1'))
if kind ~= 'validation' and where == 'holder' and attempts > 1 then
  local failures = redis.call('HINCRBY', key('job', id), 'failures', 1)
  if failures < attempts then
    local wait = tonumber(setting('backoff_ms', '5000')) * 2 ^ (failures - 1)
    give_back(id, job, 'backing_off', now + math.min(wait, 300000))
    return { 'again' }
  end
end
settle(id, job, 'failed', '', ARGV[6])
return { 'settled', 'failed' }
