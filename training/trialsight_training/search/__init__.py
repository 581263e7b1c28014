"""`trialsight train --search`: which detector, layers, size and augmentation suit a set, within a time budget."""
