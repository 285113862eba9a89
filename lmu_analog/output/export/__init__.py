"""What is taken to other tools: parts lists, schematics, behavioural models."""
