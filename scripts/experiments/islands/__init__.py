"""When do islands help? `python -m scripts.experiments.islands run|report`."""
