#!lua flags=no-writes
-- After how long there is enough of what a user may do in an hour; spends nothing.
-- KEYS 1 rates   ARGV for each: what, most in an hour, how many
-- Answers 0, or the ms after which there is enough.
types('hash')
return (allowance(KEYS[1], 1, now()))
