"""Where the error comes from, and what can be won back."""
