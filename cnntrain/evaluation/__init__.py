"""How good a trained network is: figures, plots, and what lies in run folders."""
