"""One module per dialect; each offers CODEC. Modules with a leading underscore are shared by their neighbours."""
