-- A job to another place of its own line: the jobs between trade places, so nobody else's turn changes.
local function move_to(id, job, to)
  if job.reason == 'on_hold' or job.reason == 'held' or job.reason == 'backing_off' or job.reason == 'cancelling' then
    return false
  end
  local line = key('line', job.lane, job.participant)
  local from = before(job.lane, job.participant, tonumber(job.seq))
  to = math.max(0, math.min(to, redis.call('LLEN', line) - 1))
  local low, high = math.min(from, to), math.max(from, to)
  local ids = redis.call('LRANGE', line, low, high)
  local places = {}
  for i, each in ipairs(ids) do places[i] = redis.call('HGET', key('job', each), 'seq') end
  table.insert(ids, to - low + 1, table.remove(ids, from - low + 1))
  for i, each in ipairs(ids) do
    redis.call('LSET', line, low + i - 1, each)
    redis.call('HSET', key('job', each), 'seq', places[i])
    if each == id then job.seq = places[i] end
  end
  return true
end

-- To another lane, at the place there that its arrival gives it.
local function change_lane(id, job, lane)
  local aside = job.reason == 'on_hold' or job.reason == 'held' or job.reason == 'backing_off' or job.reason == 'cancelling'
  if not aside then lift(id, job) end
  job.lane = lane
  redis.call('HSET', key('job', id), 'lane', lane, 'laned_at', whole(now))
  if aside then
    announce(id, job, 'pending', job.reason)
  else
    queue_up(id, job, job.reason)
  end
end
