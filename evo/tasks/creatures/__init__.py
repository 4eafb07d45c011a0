"""Soft-bodied creatures that learn to walk to pellets.

Genes are decoded once (`body`), a backend simulates lives (`reference`, `native`), `fitness` scores them.

Shapes: P creatures, C courses, L = P·C lanes (one life each), D genes, W controller genes, K pellets of a course.
Nodes are 8 and muscles 28, one for every pair of nodes, in lexicographic order (0,1), (0,2), …, (6,7). Space is
three components: x, y (up), z. The creature or lane is always the last axis.
"""
