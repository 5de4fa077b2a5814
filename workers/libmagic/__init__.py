"""libmagic, in processes of their own: what kills it or makes it hang harms one file's verdict."""
