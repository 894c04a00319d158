"""Where the rows of each type live: one room for each module of the house."""
