"""Evaluation of trained networks: metrics and plots."""
