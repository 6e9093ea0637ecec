-- Forgets records of jobs that ended long ago, oldest first, at most 100 at a time. Files stay.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] usual ms to keep a record   ARGV[3] usual number of records to keep
-- Answers purged how many

local too_old = whole(now - tonumber(setting('keep_ended_ms', ARGV[2])))
local many = redis.call('ZCARD', key('ended')) - tonumber(setting('keep_ended', ARGV[3]))
local ids = redis.call('ZRANGEBYSCORE', key('ended'), '-inf', too_old, 'LIMIT', 0, 100)
if many > #ids then ids = redis.call('ZRANGE', key('ended'), 0, math.min(many, 100) - 1) end
for _, id in ipairs(ids) do
  local job = read_job(id)
  redis.call('ZREM', key('ended'), id)
  redis.call('ZREM', key('all'), id)
  redis.call('ZREM', key('failures'), id)
  redis.call('ZREM', key('mine', job.participant), id)
  redis.call('SREM', key('hidden', job.participant), id)
  redis.call('DEL', key('job', id), key('body', id), key('result', id), key('inputs', id),
    key('story', id))
  redis.call('HINCRBY', key('counts'), 'purged_' .. job.state, 1)
  -- The last job of its class takes the class along.
  if redis.call('HINCRBY', key('uses'), job.needs, -1) == 0 then
    redis.call('HDEL', key('uses'), job.needs)
    redis.call('HDEL', key('needs'), job.needs)
    redis.call('HDEL', key('costs'), job.needs)
    redis.call('DEL', key('times', job.needs))
    for _, kind in ipairs(redis.call('SMEMBERS', key('kinds'))) do redis.call('HDEL', key('can', kind), job.needs) end
  end
end
return { 'purged', whole(#ids) }
