"""Copies of the whole site: rows and media, into a folder or a bucket, and back into an empty site.

A backup is what one snapshot of the database shows, and every file that its rows name:

    TARGET/media/NAME                       a file of media, once for all backups
    TARGET/backups/MOMENT/database.gz       rows as lines of JSON (`rows`)
    TARGET/backups/MOMENT/media.gz          names, sizes and SHA-256 of the files
    TARGET/backups/MOMENT/manifest.json     what it holds; written last, so that it says that all is there

Where a recipient is given, rows and media are encrypted by age, and their names end in ``.age``. Names and
hashes of files are not: whoever sees the target sees the names anyway, and the machine that makes backups,
which holds no key that opens them, must know what it has copied.
"""
