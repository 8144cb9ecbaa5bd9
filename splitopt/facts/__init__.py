"""Facts of one model on one board: where its RAM goes, and how far cuts could bring it down."""
