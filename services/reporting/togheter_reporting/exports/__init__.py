"""The forms in which a release is handed out: sheets, documents, data and their description."""
