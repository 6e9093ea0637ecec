-- Alerts on their way out. Whoever takes one has it until its lease is over; one that died with its sender is taken by
-- another, under the same name, so that the receiver can tell.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] take | sent | later
-- ARGV[3] to take: lease ms; otherwise the message   ARGV[4] later: after how many ms
-- Answers message name tries json | nothing | done

local what, message = ARGV[2], ARGV[3]
if what == 'take' then
  message = redis.call('ZRANGEBYSCORE', key('unsent'), '-inf', whole(now), 'LIMIT', 0, 1)[1]
  if not message then return { 'nothing' } end
  redis.call('ZADD', key('unsent'), now + tonumber(ARGV[3]), message)
  local entry = redis.call('HGET', key('outbox'), message) or '{}'
  local tries = redis.call('HINCRBY', key('tries'), message, 1)
  return { 'message', message, whole(tries), entry }
end
if what == 'later' then
  redis.call('ZADD', key('unsent'), 'XX', now + tonumber(ARGV[4]), message)
else
  redis.call('ZREM', key('unsent'), message)
  redis.call('HDEL', key('outbox'), message)
  redis.call('HDEL', key('tries'), message)
end
return { 'done' }
