"""What is looked at of tokens: the locks, the keys, the clocks, and the token that a look itself needs."""
