-- Lends the next job to a worker, with a lease and a token that is larger than any before.
-- With workers turns places choose
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] worker   ARGV[3] lease ms
-- ARGV[4] when the worker does not know of a job it holds: a name for its saying so, else ''
-- ARGV[5] crash deliveries before a job is parked   ARGV[6] result of a parked job as JSON
-- Answers lent id participant token attempts body inputs client waited sealed said | ask needs json … | draining | idle

local worker, lease = ARGV[2], tonumber(ARGV[3])
local me = key('worker', worker)

local function waited(id)
  return whole(math.max(now - tonumber(redis.call('HGET', key('job', id), 'submitted_at')), 0))
end

local function lent(id, job, token, attempts)
  redis.call('ZADD', key('leases'), now + lease, job.participant .. '/' .. id)
  redis.call('ZREM', key('idle'), worker)
  return { 'lent', id, job.participant, token, attempts,
    redis.call('GET', key('body', id)) or '', redis.call('GET', key('inputs', id)) or '', job.client,
    waited(id), redis.call('GET', key('sealed', id)) or '', redis.call('GET', key('said', token)) or '0' }
end

-- The answer to an earlier claim was lost, or the worker restarted: the same lease again, with the same token. A worker
-- that does not know of it was taken down by it, for all we can tell; a supervisor that restarts it at once must not
-- keep such a job going for ever.
local mine = redis.call('HMGET', me, 'job', 'draining', 'object_info', 'forgot')
local held = mine[1]
local forgot = ARGV[4] ~= '' and ARGV[4] ~= mine[4]
if forgot then redis.call('HSET', me, 'forgot', ARGV[4]) end
if held then
  local job = read_job(held)
  if job and job.state == 'running' and job.worker == worker then
    if not forgot or not blame(held, job, tonumber(ARGV[5])) then
      return lent(held, job, job.token, redis.call('HGET', key('job', held), 'attempts'))
    end
    if job.reason == 'stopping' then
      settle(held, job, 'cancelled', '', '{}')
    else
      settle(held, job, 'failed', 'parked', ARGV[6])
    end
  end
  redis.call('HDEL', me, 'job')
end
if mine[2] == '1' then return { 'draining' } end

local best, unknown = choose(worker, mine[3] or '')
if not best and #unknown > 0 then return { 'ask', unpack(unknown) } end
if not best then
  redis.call('ZADD', key('idle'), now, worker)
  return { 'idle' }
end

local head = head_of(best.group, best.participant)
local id, line = head.id, key('line', head.lane, best.participant)
redis.call('LPOP', line)
if redis.call('EXISTS', line) == 0 then redis.call('SREM', key('lines'), head.lane .. '/' .. best.participant) end
strike(best.group, best.participant, best)

local job = read_job(id)
local token = whole(math.max(tonumber(redis.call('GET', key('tokens')) or '0') + 1, now))
redis.call('SET', key('tokens'), token)
local cost = cost_of(best.needs)
if mode() ~= 'fifo' then
  note_served(best.group, mine[3], best.tag)
  local from = math.max(debt(best.group, best.participant), best.tag)
  if mode() ~= 'fair' then from = math.max(from, served(best.group, best.needs)) end
  set_debt(best.group, best.participant, from + cost)
end
job.worker = worker
redis.call('HSET', key('job', id), 'state', 'running', 'reason', '', 'token', token, 'worker', worker,
  'started_at', whole(now), 'turn', table.concat({ generation(), best.group.name, whole(best.tag),
  whole(best.joined), whole(cost) }, ' '))
local attempts = whole(redis.call('HINCRBY', key('job', id), 'attempts', 1))
-- What the GPU probably keeps in its memory from now on is what this job needs.
redis.call('HSET', me, 'job', id, 'last_needs', best.needs)
redis.call('HDEL', me, 'step', 'stepped_at')
redis.call('HDEL', key('avoid'), id)
if setting('one_each', '0') == '1' and best.group.name ~= 'instructor' then
  redis.call('HSET', key('had'), best.participant, id)
end
count('pending', 'running', job)
local answer = lent(id, job, token, attempts)
if attempts == '1' then
  redis.call('HINCRBY', key('tally', best.participant), 'started', 1)
  redis.call('HINCRBY', key('tally', best.participant), 'waited_ms', waited(id))
  redis.call('LPUSH', key('waits'), waited(id))
  redis.call('LTRIM', key('waits'), 0, 499)
end
arrange(best.participant)
announce(id, job, 'running', '')
return answer
