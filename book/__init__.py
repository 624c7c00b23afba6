"""What makes the site and keeps the notebooks; no chapter needs it."""
