"""What the chapters share: data, seeds, figures, results and widgets.  Models live in the chapters."""
