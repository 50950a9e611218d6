"""The desk at work: loads rows, asks the rules in `domain`, writes; one transaction each, for API and station events alike."""
