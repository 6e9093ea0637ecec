-- Publishes one execution message for the tab that submitted the job, and keeps it until that tab has it.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] participant   ARGV[3] client id   ARGV[4] the message as published
-- Answers kept

local missed = key('missed', ARGV[2], ARGV[3])
redis.call('RPUSH', missed, ARGV[4])
redis.call('LTRIM', missed, -500, -1)
redis.call('PEXPIRE', missed, 3600000)
redis.call('PUBLISH', key('frames'), ARGV[4])
return { 'kept' }
