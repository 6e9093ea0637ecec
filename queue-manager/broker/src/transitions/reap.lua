-- Takes back leases that ended. After an outage it first moves every lease forward by the gap, once, so that healthy
-- workers keep what they hold.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] gap in ms that counts as an outage
-- ARGV[3] crash deliveries before a job is parked   ARGV[4] result of a parked job as JSON
-- Answers moved gap | reaped id fate id fate …  (fate: pending, failed or cancelled)

local last = tonumber(redis.call('GET', key('reaped')) or whole(now))
redis.call('SET', key('reaped'), whole(now))
local gap = now - last
if gap > tonumber(ARGV[2]) then
  for _, member in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
    redis.call('ZINCRBY', key('leases'), whole(gap), member)
  end
  return { 'moved', whole(gap) }
end

local answer = { 'reaped' }
for _, member in ipairs(redis.call('ZRANGEBYSCORE', key('leases'), '-inf', whole(now), 'LIMIT', 0, 50)) do
  local id = member:match('/(.+)$')
  local job = read_job(id)
  local fate = 'pending'
  if job.reason == 'stopping' then
    fate = 'cancelled'
    settle(id, job, fate, '', '{}')
  elseif redis.call('HINCRBY', key('job', id), 'crashes', 1) >= tonumber(ARGV[3]) then
    fate = 'failed'
    settle(id, job, fate, 'parked', ARGV[4])
  else
    give_back(id, job, 'worker_lost')
  end
  answer[#answer + 1] = id
  answer[#answer + 1] = fate
end
return answer
