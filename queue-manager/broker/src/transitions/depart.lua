-- Ends every session of an account, at once or after a while in which that can be taken back. The password stays.
-- With doors
-- Answers once
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] account   ARGV[3] after how many ms; 'stay' takes a delayed one back
-- ARGV[4] SHA-256 of a session that does not end, '' for none
-- Answers done | later | stays | over (there is nothing to take back) | unknown

local account, after = ARGV[2], ARGV[3]
if redis.call('EXISTS', key('account', account)) == 0 then return { 'unknown' } end
if after == 'stay' then
  if redis.call('ZREM', key('signing-out'), account) == 0 then return { 'over' } end
  announce_room('accounts')
  return { 'stays' }
end
if after == '0' then
  sign_out(account, ARGV[4])
  return { 'done' }
end
-- Said again, it ends no later than it would have.
redis.call('ZADD', key('signing-out'), 'NX', now + tonumber(after), account)
announce_room('accounts')
return { 'later' }
