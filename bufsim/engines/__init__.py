"""Two engines that run a declared simulation, and write down the same to the last bit."""
