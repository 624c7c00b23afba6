"""What the chapters share: data, seeds, figures, results, widgets.  Models are in the chapters."""
