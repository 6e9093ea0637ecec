-- How a new job gets its place. Shared by submit and retry.

-- Why there is no room for so many bytes more, or nil. `usual`: caps where nobody has set others.
local function no_room(participant, bytes, usual)
  local all = redis.call('HMGET', key('counts'), 'pending', 'bytes')
  local own = redis.call('HMGET', key('waiting', participant), 'jobs', 'bytes')
  local function over(used, more, limit) return tonumber(used or '0') + more > limit end
  if over(all[1], 1, tonumber(setting('waiting', usual[3]))) then return { 'full', 'workshop', 'jobs', all[1] } end
  if over(all[2], bytes, tonumber(setting('bytes', usual[4]))) then return { 'full', 'workshop', 'bytes', all[2] or '0' } end
  if over(own[1], 1, cap(participant, 'waiting_per_participant', usual[1])) then
    return { 'full', 'participant', 'jobs', own[1] or '0' }
  end
  if over(own[2], bytes, cap(participant, 'bytes_per_participant', usual[2])) then
    return { 'full', 'participant', 'bytes', own[2] or '0' }
  end
end

-- While somebody demonstrates, their next jobs go first; with the last of them the demonstration is over.
local function lane_of(id, participant, lane)
  local who, till, jobs = setting('demo', ''):match('^(%S+) (%S+) (%S+)$')
  if who ~= participant or now >= tonumber(till) then return lane end
  if tonumber(jobs) > 1 then
    redis.call('HSET', key('settings'), 'demo', table.concat({ who, till, whole(tonumber(jobs) - 1) }, ' '))
  else
    redis.call('HDEL', key('settings'), 'demo')
  end
  redis.call('SADD', key('demo'), id)
  announce_room('settings')
  return 'instructor'
end

-- Stores the job's record and puts it at the tail of its line, or on hold.
local function admit(id, job, ...)
  job.seq = whole(redis.call('INCR', key('seq', '@jobs')))
  job.reason = ''
  job.lane = lane_of(id, job.participant, job.lane)
  redis.call('HINCRBY', key('minute'), 'submitted', 1)
  redis.call('HSET', key('job', id),
    'participant', job.participant, 'lane', job.lane, 'seq', job.seq, 'state', 'pending', 'reason', '',
    'token', '0', 'attempts', '0', 'crashes', '0', 'worker', '', 'needs', job.needs, 'body_bytes', job.body_bytes,
    'client', job.client, 'submitted_at', whole(now), ...)
  redis.call('HINCRBY', key('uses'), job.needs, 1)
  redis.call('ZADD', key('mine', job.participant), job.seq, id)
  redis.call('ZADD', key('all'), job.seq, id)
  count(nil, 'pending', job)
  if runnable(job.needs) then
    redis.call('RPUSH', key('line', job.lane, job.participant), id)
    redis.call('SADD', key('lines'), job.lane .. '/' .. job.participant)
  else
    put_aside(id, job, 'on_hold')
  end
end

-- Only a new head changes anything for claims.
local function queued(id, job)
  if job.reason == '' and redis.call('LINDEX', key('line', job.lane, job.participant), 0) == id then
    arrange(job.participant)
  end
  announce(id, job, 'pending', job.reason)
end
