"""The explorer: a page that holds all candidates of a requirement and evaluates the law itself, in JavaScript."""
