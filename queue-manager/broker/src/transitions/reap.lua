-- Takes back leases that ended, and does what is due: next attempts, delayed cancels, workers that are gone. After an
-- outage it first moves every lease forward by the gap, once, so that healthy workers keep what they hold. What was lent or
-- renewed, and who was heard of, in the meantime moves no further than if it had been just now.
-- With workers turns places presence
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] gap in ms that counts as an outage
-- ARGV[3] crash deliveries before a job is parked   ARGV[4] result of a parked job as JSON   ARGV[5] lease ms
-- Answers moved gap | reaped (how many leases) id fate id fate … (fate: pending, failed or cancelled) due ids …

local last = tonumber(redis.call('GET', key('reaped')) or whole(now))
redis.call('SET', key('reaped'), whole(now))
local gap = now - last
if gap > tonumber(ARGV[2]) then
  local function forward(zset, member_of, latest)
    local at = tonumber(redis.call('ZSCORE', zset, member_of) or '0')
    if at < latest then redis.call('ZADD', zset, whole(math.min(at + gap, latest)), member_of) end
  end
  for _, member_of in ipairs(redis.call('ZRANGE', key('leases'), 0, -1)) do
    forward(key('leases'), member_of, now + tonumber(ARGV[5]))
  end
  for worker in pairs(workers_here()) do forward(key('workers'), worker, now) end
  return { 'moved', whole(gap) }
end

local answer = { 'reaped', '0' }
local function tell(id, fate)
  answer[#answer + 1] = id
  answer[#answer + 1] = fate
end
for _, member_of in ipairs(redis.call('ZRANGEBYSCORE', key('leases'), '-inf', whole(now), 'LIMIT', 0, 50)) do
  local id = member_of:match('/(.+)$')
  local job = read_job(id)
  if job.reason == 'stopping' then
    settle(id, job, 'cancelled', '', '{}')
    tell(id, 'cancelled')
  elseif blame(id, job, tonumber(ARGV[3])) then
    settle(id, job, 'failed', 'parked', ARGV[4])
    tell(id, 'failed')
  else
    if job.taken == job.token then avoid(id, job.worker) end
    give_back(id, job, 'worker_lost')
    tell(id, 'pending')
  end
end
answer[2] = whole((#answer - 2) / 2)

for _, id in ipairs(redis.call('ZRANGEBYSCORE', key('later'), '-inf', whole(now), 'LIMIT', 0, 50)) do
  local job = read_job(id)
  answer[#answer + 1] = id
  if job.state == 'running' then
    redis.call('ZREM', key('later'), id)
    stop(id, job)
  elseif job.reason == 'cancelling' then
    settle(id, job, 'cancelled', '', '{}')
  else
    lift(id, job)
    queue_up(id, job, '', turn_of(job))
  end
end

local gone = {}
for worker in pairs(workers_here()) do
  if tonumber(redis.call('ZSCORE', key('workers'), worker) or '0') < now - 60000 then gone[#gone + 1] = worker end
end
if #gone > 0 then go(gone) end
return answer
