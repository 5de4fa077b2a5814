"""How real HTTP clients write the names of files: their drivers, and what records them."""
