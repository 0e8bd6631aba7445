"""Tests that need the folder of real mails; it is no part of the project."""
