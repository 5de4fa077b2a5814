"""libmagic, in processes of their own: what kills it or makes it hang harms one file's verdict.

`process` starts, asks and replaces them; `child` is what runs in them, confined by `confine`.
`answers` says which of libmagic's answers count.

Nothing but `child` may import `magic`.
"""
