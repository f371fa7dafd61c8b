"""One HTML page about a run, to hand in or to send: what ``cnntrain report`` writes."""
