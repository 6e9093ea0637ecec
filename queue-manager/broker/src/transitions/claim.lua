-- Lends the next job to a worker, with a lease and a token that is larger than any before.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3] lease ms
-- ARGV[4] '1' when the worker does not know of a job it holds
-- ARGV[5] crash deliveries before a job is parked   ARGV[6] result of a parked job as JSON
-- ARGV[7..] needs ids this worker can run
-- Answers lent id participant token attempts body inputs | draining | idle

local worker, lease = ARGV[2], tonumber(ARGV[3])
local me = key('worker', worker)

local function lent(id, job, token, attempts)
  redis.call('ZADD', key('leases'), now + lease, job.participant .. '/' .. id)
  redis.call('ZREM', key('idle'), worker)
  return { 'lent', id, job.participant, token, attempts,
    redis.call('GET', key('body', id)) or '', redis.call('GET', key('inputs', id)) or '' }
end

-- The answer to an earlier claim was lost, or the worker restarted: the same lease again, with the same token. A worker
-- that does not know of it was taken down by it, for all we can tell; a supervisor that restarts it at once must not
-- keep such a job going for ever.
local held = redis.call('HGET', me, 'job')
if held then
  local job = read_job(held)
  if job and job.state == 'running' and job.worker == worker then
    local crashed = ARGV[4] == '1' and redis.call('HINCRBY', key('job', held), 'crashes', 1) or 0
    if crashed < tonumber(ARGV[5]) then
      return lent(held, job, job.token, redis.call('HGET', key('job', held), 'attempts'))
    end
    settle(held, job, 'failed', 'parked', ARGV[6])
  end
  redis.call('HDEL', me, 'job')
end
if redis.call('HGET', me, 'draining') == '1' then return { 'draining' } end

redis.call('DEL', key('runs', worker))
for i = 7, #ARGV do
  redis.call('SADD', key('runs', worker), ARGV[i])
  redis.call('SADD', key('runners', ARGV[i]), worker)
end

local paused = setting('paused', '0') == '1'
local best
for _, group in ipairs(FIFO_GROUPS) do
  for _, lane in ipairs(group) do
    for i = 7, #ARGV do
      local first = redis.call('ZRANGE', key('turns', lane, ARGV[i]), 0, 0, 'WITHSCORES')
      local score = tonumber(first[2])
      if score and not (paused and lane ~= 'instructor') and (not best or score < best.score) then
        best = { lane = lane, participant = first[1], score = score }
      end
    end
  end
  if best then break end
end
if not best then
  redis.call('ZADD', key('idle'), now, worker)
  return { 'idle' }
end

local id = redis.call('LPOP', key('line', best.lane, best.participant))
local job = read_job(id)
local token = whole(math.max(tonumber(redis.call('GET', key('tokens')) or '0') + 1, now))
redis.call('SET', key('tokens'), token)
redis.call('HSET', key('job', id), 'state', 'running', 'reason', '', 'token', token, 'worker', worker,
  'started_at', whole(now))
local attempts = whole(redis.call('HINCRBY', key('job', id), 'attempts', 1))
redis.call('HSET', me, 'job', id)
redis.call('SET', key('last', best.participant), whole(best.score))
count('pending', 'running')
local answer = lent(id, job, token, attempts)
index_lines(best.participant)
announce(id, best.participant, 'running', '', worker, job.client)
return answer
