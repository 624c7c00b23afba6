"""What the chapters call: data, sound, seeds, plots, results.  Models are in the chapters."""
