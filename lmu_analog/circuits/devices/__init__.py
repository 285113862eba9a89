"""What parts and devices are: models, catalogue, technologies, tolerances, standard values, users' model files."""
