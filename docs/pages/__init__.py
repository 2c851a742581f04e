"""What the site is made of beside its written pages: lessons, API, sources, links, and a check."""
