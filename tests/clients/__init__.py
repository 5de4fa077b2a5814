"""Unmodified ChatKitty clients, each driven as its users drive it."""
