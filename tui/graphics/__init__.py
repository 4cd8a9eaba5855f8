"""The escape sequences by which terminals show pixels; nothing here knows Textual or writes to a terminal."""
