"""The documentation site (`make docs`): what MkDocs must know of this project.

`links` finds the pages and rewrites what they link to, `openapi` renders the description of the
gateway's own resources, `outside` looks for what a page would load from elsewhere: all pure.
`hooks` is called by MkDocs, which runs in an environment of its own.
"""
