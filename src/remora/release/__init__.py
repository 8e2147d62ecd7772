"""What is deployed: shares, releases, and how files get from here to there. Without torch."""
