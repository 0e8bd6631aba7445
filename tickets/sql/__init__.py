"""Views, triggers and full-text objects of both databases. Migrations contain none of them."""
