"""Where records are kept: each module here answers the five verbs and nothing more."""
