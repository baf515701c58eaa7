"""Many runs: studies, their statistics and decisions."""
