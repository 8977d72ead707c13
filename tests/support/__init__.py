"""What all kinds of tests share."""
