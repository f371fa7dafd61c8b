"""What a run keeps, so that nothing is lost: its folder, checkpoints, going on, and what is left of a divergence."""
