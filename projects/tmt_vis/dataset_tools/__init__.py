"""What is done to data sets before they are trained on: convert, check, split."""
