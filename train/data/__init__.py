"""Texts into token files, and what there is to know of a text."""
