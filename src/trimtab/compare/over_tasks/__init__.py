"""The same candidates on several tasks: one study, and what it says over all of them."""
