"""Checkpointing: saving and restoring the training state, rollback, and the postmortem of a diverged run."""
