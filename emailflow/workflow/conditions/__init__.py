"""One condition a file. They import neither each other nor any table."""
