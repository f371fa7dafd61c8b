"""The first step at which two runs part, and why: what ``cnntrain diff`` prints."""
