"""What tests share: models, generators of models, and oracles. A package with a name that nothing else has."""
