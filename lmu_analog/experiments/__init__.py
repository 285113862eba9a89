"""The published results, each one command, with stored figures."""
