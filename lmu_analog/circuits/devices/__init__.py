"""Parts and devices: models, catalogue, technologies, tolerances, standard values, users' model files."""
