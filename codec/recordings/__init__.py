"""Reading recordings: what is in a file, as it is, with what has to be said about it.

`formats` lists what is read. A module for each family of containers looks at a file's structure and makes a
plan of its parts (`riff`, `ogg`, `mpeg`, `flac`, `mp4`); `decoders` decodes them, by libsndfile or by ffmpeg;
`reader` puts them together and compares them with what the headers claim. `codec.audio` converts.
"""

from codec.recordings.formats import ACCEPT, NAMED, SUFFIXES, is_audio
from codec.recordings.reader import Reading

__all__ = ["ACCEPT", "NAMED", "SUFFIXES", "Reading", "is_audio"]
