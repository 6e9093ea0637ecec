-- Changes one thing about an account; what takes something away ends its sessions.
-- With doors
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] account   ARGV[3] field   ARGV[4] its value   ARGV[5] 1: it takes something away
-- Answers changed | unknown

local account = key('account', ARGV[2])
if redis.call('EXISTS', account) == 0 then return { 'unknown' } end
-- First, because it tells the role that the account had until now.
if ARGV[5] == '1' then sign_out(ARGV[2]) end
redis.call('HSET', account, ARGV[3], ARGV[4])
return { 'changed' }
