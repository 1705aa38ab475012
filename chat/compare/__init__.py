"""Two models side by side: contests, votes, what the votes say."""
