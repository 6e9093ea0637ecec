-- Opens the workshop: writes settings that nobody has set yet.
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2..] setting, value …
-- Answers opened

for i = 2, #ARGV, 2 do redis.call('HSETNX', key('settings'), ARGV[i], ARGV[i + 1]) end
return { 'opened' }
