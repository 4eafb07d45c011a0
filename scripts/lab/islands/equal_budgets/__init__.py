"""When do islands help? `python -m scripts.lab islands run|report`."""
