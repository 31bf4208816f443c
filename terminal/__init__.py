"""The command `earshot`: what researchers do in the pages, from a terminal.

It uses a site's API and needs only Python: copy this folder and `earshot.py` to any machine. `earshot login`
saves the site's URL and your token; EARSHOT_URL and EARSHOT_TOKEN take precedence over them. Where Earshot
itself is installed, it also encodes, decodes and trains (`codec`), and runs the commands of the site
(`manage.py`).
"""
