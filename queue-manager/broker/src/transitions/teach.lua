-- Notes which classes of needs a kind of worker can run.
-- With workers turns places
-- KEYS[1] the workshop's hash tag
-- ARGV[1] clock offset ms   ARGV[2] kind   ARGV[3..] needs id, '1' or '0', …
-- Answers taught

local classes = {}
for i = 3, #ARGV, 2 do
  redis.call('HSET', key('can', ARGV[2]), ARGV[i], ARGV[i + 1])
  classes[#classes + 1] = ARGV[i]
end
redis.call('SADD', key('kinds'), ARGV[2])
review(classes)
for _, needs in ipairs(classes) do
  for _, group in ipairs(groups()) do
    if redis.call('SISMEMBER', key('classes', group.name), needs) == 1 then wake(needs) end
  end
end
return { 'taught' }
