"""The model as users declare it: frozen values that say what they are."""
