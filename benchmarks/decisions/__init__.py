"""Whether studies are honest and efficient: ten problems with known truth, each studied many times."""
