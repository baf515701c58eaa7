"""How a declared simulation runs: two engines that write down the same, to the last bit."""
