-- Forgets records of jobs that ended, at most 100 at a time: those that ended long ago, and beyond what is kept in all the
-- oldest of whoever has most, so that nobody's records go because of somebody else's. Files stay.
-- With workers turns places
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] usual ms to keep a record   ARGV[3] usual number of records to keep
-- ARGV[4] usual bytes of records to keep
-- Answers purged how many

local number, bytes = redis.call('ZCARD', key('ended')), 0
local records = redis.call('ZRANGE', key('records'), 0, -1, 'WITHSCORES')
for i = 2, #records, 2 do bytes = bytes + tonumber(records[i]) end

local function forget(id)
  local job = read_job(id)
  if redis.call('ZREM', key('ended', job.participant), id) == 1 then
    local size = record_bytes(id)
    bytes = bytes - size
    if redis.call('ZCARD', key('ended', job.participant)) == 0 then
      redis.call('ZREM', key('records'), job.participant)
    else
      redis.call('ZINCRBY', key('records'), whole(-size), job.participant)
    end
  end
  number = number - 1
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

local too_old = whole(now - tonumber(setting('keep_ended_ms', ARGV[2])))
local old = redis.call('ZRANGEBYSCORE', key('ended'), '-inf', too_old, 'LIMIT', 0, 100)
for _, id in ipairs(old) do forget(id) end
local purged = #old
local most, most_bytes = tonumber(setting('keep_ended', ARGV[3])), tonumber(setting('keep_ended_bytes', ARGV[4]))
while purged < 100 and number > 0 and (number > most or bytes > most_bytes) do
  local whose = redis.call('ZREVRANGE', key('records'), 0, 0)[1]
  local of = whose and key('ended', whose) or key('ended')
  forget(redis.call('ZRANGE', of, 0, 0)[1])
  purged = purged + 1
end
return { 'purged', whole(purged) }
