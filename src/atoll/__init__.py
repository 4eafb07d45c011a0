"""Neuroevolution on islands that share nothing but a folder.

In a checkout the folders of this package are links to those at its root; what is installed has the folders themselves.
"""
