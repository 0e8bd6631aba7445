"""The parts of ``parse``: header block, MIME tree, transfer encodings, character sets, names, reports, rendering."""
