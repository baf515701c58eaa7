"""Whether studies are honest and efficient: problems with known truth, each studied many times."""
