"""How dates and times are written in pages, one folder a language. Named by FORMAT_MODULE_PATH."""
