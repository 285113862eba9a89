"""Co-design: choosing what a circuit is made of, from what it must do."""
