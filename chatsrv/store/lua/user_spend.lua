#!lua
-- Spend of what a user may do in an hour: all of it, or nothing where any is too much.
-- KEYS 1 rates
-- ARGV for each: what, most in an hour, how many (below 0: they are given back)
-- Answers 0, or the ms after which there is enough.
types('hash')
return spend(KEYS[1], 1)
