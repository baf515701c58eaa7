"""What users declare: frozen values that say what they are."""
