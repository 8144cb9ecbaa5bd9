"""What a run or a sweep found, as one HTML file and as figures: from documents to text."""
