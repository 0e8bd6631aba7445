"""One action a file: its form, its pure plan, and its intents. They do not import each other."""
