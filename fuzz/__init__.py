"""Readers of foreign bytes, given bytes until one of them breaks a promise."""
