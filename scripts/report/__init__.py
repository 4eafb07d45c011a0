"""Reports of a run: the page, figures for papers, a champion and pictures of its walk."""
