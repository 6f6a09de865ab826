"""The same candidates on several problems: one study, and what it says over all of them."""
